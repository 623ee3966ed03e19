-- ARGV: how many (0 only looks), window. Fields are slots, sixty to a window.
local n, window = tonumber(ARGV[1]), tonumber(ARGV[2])
local here = math.floor(now * 60 / window)
local total, old = n, {}
local found = redis.call('HGETALL', KEYS[1])
for i = 1, #found, 2 do
    if math.abs(tonumber(found[i]) - here) < 60 then
        total = total + tonumber(found[i + 1])
    else
        old[#old + 1] = found[i]
    end
end
if n ~= 0 then
    if #old > 0 then redis.call('HDEL', KEYS[1], unpack(old)) end
    redis.call('HINCRBY', KEYS[1], string.format('%.0f', here), ARGV[1])
    redis.call('PEXPIRE', KEYS[1], milliseconds(window))
end
return total
