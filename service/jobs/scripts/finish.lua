-- End a job: for an attempt, or for whoever cancels (attempt ''). Answers 0 if somebody else ended it, or is at it.
local id, attempt, state, result_ttl_s, record_ttl_s, key_ttl_s, size = unpack(ARGV, 1, 7)
local fields = redis.call('HMGET', record(id), 'state', 'attempt')
if not fields[1] then return 0 end
if has_ended(fields[1]) then return (fields[1] == state and fields[2] == attempt) and 1 or 0 end
if attempt ~= '' and (fields[1] ~= 'running' or fields[2] ~= attempt) then return 0 end
if state == 'succeeded' then  -- the last of its progress may not have been told
  redis.call('HSET', record(id), 'tiles_done', redis.call('HGET', record(id), 'tiles_total'))
end
finish(id, state, tonumber(result_ttl_s), tonumber(record_ttl_s), tonumber(key_ttl_s), tonumber(size), {unpack(ARGV, 8)})
return 1
