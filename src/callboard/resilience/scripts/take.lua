-- ARGV: limit, period, costs in order of arrival. Answers a wait for each.
local limit, period = tonumber(ARGV[1]), tonumber(ARGV[2])
local used = level(KEYS[1], limit, period)
local ahead = used
local granted = false
local waits = {}
for i = 3, #ARGV do
    local cost = tonumber(ARGV[i])
    if cost > limit then
        waits[#waits + 1] = 'inf'
    else
        ahead = ahead + cost
        local wait = (ahead - limit) * period / limit
        if wait <= period * 1e-6 then -- rounding, not waiting
            wait, used, granted = 0, ahead, true
        end
        waits[#waits + 1] = text(wait)
    end
end
if granted then fill(KEYS[1], used, period) end
return waits
