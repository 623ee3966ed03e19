-- ARGV: limit, period, cost.
local limit, period = tonumber(ARGV[1]), tonumber(ARGV[2])
local used = level(KEYS[1], limit, period) - tonumber(ARGV[3])
fill(KEYS[1], math.min(math.max(used, 0), 2 * limit), period)
