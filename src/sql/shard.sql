-- Past one machine

CREATE FUNCTION idemstore.shard(
	key text,
	shards integer
) RETURNS integer
LANGUAGE c IMMUTABLE PARALLEL SAFE
AS 'MODULE_PATHNAME', 'idemstore_shard';
COMMENT ON FUNCTION idemstore.shard(text, integer) IS
	'Which of so many databases a key belongs to, from 0 to shards - 1: jump consistent hash over the first eight bytes, big-endian, of SHA-256 of the key''s UTF-8 bytes. The same on every version of PostgreSQL, in every encoding and in every client. From n shards to n + 1, one key in n + 1 moves; what was done under a key that moves is done again. Takes any key, an empty one too. Errors: 22004 for NULL, 22023 shards is below 1, 22021 a key that is not UTF-8, in a SQL_ASCII database, 22P05 a character that UTF-8 has not.';
