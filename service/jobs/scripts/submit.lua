-- Accept a job, unless its key made one already or there is no room. Asked again after a lost answer, says the same.
local id, key, fingerprint, order, model = unpack(ARGV, 1, 5)
local cost, tiles_total, bytes, max_cost, max_bytes = unpack(ARGV, 6, 10)

if redis.call('EXISTS', record(id)) == 1 then return {'accepted', id} end
if key ~= '' then
  local other = redis.call('GET', key)
  if other and redis.call('EXISTS', record(other)) == 1 then
    local same = redis.call('HGET', record(other), 'fingerprint') == fingerprint
    return {same and 'same' or 'reused', other}
  end
end
local totals = redis.call('HMGET', TOTALS, 'cost', 'bytes')
local backlog = tonumber(totals[1] or 0)
if redis.call('EXISTS', UNFINISHED) == 1 and backlog + cost > tonumber(max_cost) then return {'overloaded', id} end
if tonumber(totals[2] or 0) + bytes > tonumber(max_bytes) then return {'full', id} end

local seq = redis.call('HINCRBY', TOTALS, 'seq', 1)
local accepted = redis.call('HINCRBY', TOTALS, 'accepted', cost)
redis.call('HSET', record(id), 'state', 'queued', 'order', order, 'model', model, 'cost', cost, 'fingerprint', fingerprint,
  'tiles_done', 0, 'tiles_total', tiles_total, 'created_at', now(), 'attempt', 0, 'key', key, 'until', accepted)
charge(id, cost)
hold(id, bytes)
redis.call('ZADD', UNFINISHED, seq, id)
if key ~= '' then redis.call('SET', key, id) end
return {'accepted', id}
