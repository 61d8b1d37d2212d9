-- Makes a home the home of an account, unless a later one is, and reads the end of the log in the same step.
-- KEYS: home, owed. ARGV: epoch in 16 digits.
local home = redis.call('HMGET', KEYS[1], 'epoch', 'ms', 'seq', 'salt', 'listed')
local epoch = home[1] or '0000000000000000'
if ARGV[1] < epoch then
  return {'f', epoch}
end
redis.call('HSET', KEYS[1], 'epoch', ARGV[1])
return {'h', home[2], home[3], home[4], redis.call('ZCARD', KEYS[2]), home[5]}
