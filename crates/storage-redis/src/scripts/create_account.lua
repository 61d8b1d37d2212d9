-- Creates an account, unless there is one that another request has made.
-- KEYS: account. ARGV: credentials, the name of the request.
if redis.call('EXISTS', KEYS[1]) == 1 then
  return redis.call('HGET', KEYS[1], 'made_by') == ARGV[2] and 1 or 0
end
redis.call('HSET', KEYS[1], 'credentials', ARGV[1], 'made_by', ARGV[2])
return 1
