-- Put a control job back in front of its queue: from the intermediate list, or given up by who was at it.
local queue, intermediate, registry, execution, id = unpack(ARGV)
local held = redis.call('LREM', intermediate, 1, id)
if execution ~= '' then held = held + redis.call('ZREM', registry, execution) end
if held == 0 then return 0 end
redis.call('LPUSH', queue, id)
return 1
