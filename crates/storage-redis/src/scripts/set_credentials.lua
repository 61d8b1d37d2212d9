-- Replaces credentials, as long as they are what was read if that is given.
-- KEYS: account. ARGV: credentials, those before (optional).
local before = redis.call('HGET', KEYS[1], 'credentials')
if not before then
  return 0
end
-- Those that are there already were put there by the same request.
if ARGV[2] and before ~= ARGV[2] and before ~= ARGV[1] then
  return 0
end
redis.call('HSET', KEYS[1], 'credentials', ARGV[1])
return 1
