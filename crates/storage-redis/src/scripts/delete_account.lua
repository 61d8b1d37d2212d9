-- Removes an account with everything that it has, unless it has records of a kind that was not named.
-- KEYS: account, kinds, and all others that go. ARGV: how many kinds of records these are.
if redis.call('SCARD', KEYS[2]) ~= tonumber(ARGV[1]) then
  return 0
end
redis.call('DEL', unpack(KEYS))
return 1
