-- Put a control job back into its queue, in front or behind: from the intermediate list, or given up by who was at it.
local queue, intermediate, registry, execution, id, place = unpack(ARGV)
local held = redis.call('LREM', intermediate, 1, id)
if execution ~= '' then held = held + redis.call('ZREM', registry, execution) end
if held == 0 then return 0 end
redis.call(place == 'behind' and 'RPUSH' or 'LPUSH', queue, id)
return 1
