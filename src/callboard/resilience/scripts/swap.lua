-- ARGV: version, value. The first version is the time in microseconds: one that was forgotten does not come again.
local version = redis.call('HGET', KEYS[1], 'version')
if (version or '0') ~= ARGV[1] then return 0 end
local after = math.max(tonumber(version or 0) + 1, math.floor(now * 1e6))
redis.call('HSET', KEYS[1], 'version', string.format('%.0f', after), 'value', ARGV[2], 'at', text(now))
return 1
