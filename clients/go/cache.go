package idemstore

import (
	"context"
	"database/sql"
	"encoding/json"
	"errors"
	"time"
)

// Cache is a cache with tags. Calls of Get that come while others are out gather
// into one statement; within a transaction use NewCache(tx).
type Cache struct {
	on  Querier
	get *gatherer[string, Entry]
}

// Entry is a value as it is stored: Value for JSON, Bytes for bytes, neither for a
// miss.
type Entry struct {
	Value json.RawMessage
	Bytes []byte
}

// Found is whether there is an entry. The JSON null is one.
func (e Entry) Found() bool { return e.Value != nil || e.Bytes != nil }

// NewCache works on db.
func NewCache(on Querier) *Cache {
	return &Cache{on: on, get: &gatherer[string, Entry]{
		send:  func(ctx context.Context, keys []string) ([]Entry, error) { return getMany(ctx, on, keys) },
		same:  func(a, b string) bool { return true },
		alone: nothingDone,
	}}
}

// Get returns the entry of the key.
func (c *Cache) Get(ctx context.Context, key string) (Entry, error) { return c.get.do(ctx, key) }

// GetMany returns the entries of the keys, in their order.
func (c *Cache) GetMany(ctx context.Context, keys ...string) ([]Entry, error) {
	return getMany(ctx, c.on, keys)
}

func getMany(ctx context.Context, on Querier, keys []string) ([]Entry, error) {
	entries := make([]Entry, 0, len(keys))
	err := queryEach(ctx, on, `SELECT value, value_bytes FROM idemstore.cache_get_many($1::text[])`, []any{array(keys)},
		func(rows *sql.Rows) error {
			var value, bytes []byte
			err := rows.Scan(&value, &bytes)
			entries = append(entries, Entry{Value: value, Bytes: bytes})
			return err
		})
	return entries, err
}

// Set is what may be said of a value beside it.
type Set struct {
	TTL   time.Duration // 0 never expires, below 0 is expired already
	Tags  []string      // nil keeps those of a live entry, an empty one clears them
	Fence int64         // of Fetch: the value is not stored when it could be stale
}

func (s *Set) arguments() (ttl float64, tags, fence any) {
	if s == nil {
		return 0, nil, nil
	}
	if s.Tags != nil {
		tags = array(s.Tags)
	}
	return inSeconds(s.TTL), tags, orNull(s.Fence)
}

// Set stores value as JSON; false when it could be older than an invalidation, and
// then nothing is stored.
func (c *Cache) Set(ctx context.Context, key string, value any, set *Set) (bool, error) {
	encoded, err := encode(value)
	if err != nil {
		return false, err
	}
	ttl, tags, fence := set.arguments()
	return queryValue[bool](ctx, c.on, `SELECT idemstore.cache_set($1, $2::json, make_interval(secs => $3), $4::text[], $5)`,
		key, encoded, ttl, tags, fence)
}

// SetBytes is Set for bytes.
func (c *Cache) SetBytes(ctx context.Context, key string, value []byte, set *Set) (bool, error) {
	ttl, tags, fence := set.arguments()
	return queryValue[bool](ctx, c.on,
		`SELECT idemstore.cache_set_bytes($1, ttl => make_interval(secs => $2), tags => $3::text[], fence => $4, value => $5)`,
		key, ttl, tags, fence, notNil(value))
}

// Delete removes the entry; true when there was one.
func (c *Cache) Delete(ctx context.Context, key string) (bool, error) {
	return queryValue[bool](ctx, c.on, `SELECT idemstore.cache_delete($1)`, key)
}

// Clear removes all entries whose keys begin with the prefix, and says how many.
func (c *Cache) Clear(ctx context.Context, prefix string) (int64, error) {
	return queryValue[int64](ctx, c.on, `SELECT idemstore.cache_clear($1)`, prefix)
}

// Invalidate removes all entries that have one of the tags, and says how many.
func (c *Cache) Invalidate(ctx context.Context, tags ...string) (int64, error) {
	return queryValue[int64](ctx, c.on, `SELECT idemstore.invalidate_by_tags($1::text[])`, array(tags))
}

// Increment adds to the integer in the entry, or to 0. ttl is that of a new entry.
func (c *Cache) Increment(ctx context.Context, key string, delta int64, ttl time.Duration) (int64, error) {
	return queryValue[int64](ctx, c.on, `SELECT idemstore.cache_increment($1, $2, make_interval(secs => $3))`,
		key, delta, secondsOrNull(ttl))
}

// Fetch is what may be said of a fetch; zero values are the server's defaults.
type Fetch struct {
	Lease time.Duration // how long one caller may compute, at most an hour
	Stale time.Duration // how old an expired value may be that others get meanwhile
	Wait  time.Duration // how long others wait for the value
}

// Fetched is an entry, or the order to compute it.
type Fetched struct {
	Outcome string // hit, stale, compute or in_progress
	Entry
	Fence     int64     // compute: for Set
	ExpiresAt time.Time // the zero time is never
}

// Fetch gets the value; if there is none, one caller is told to compute it, and the
// others wait for him.
func (c *Cache) Fetch(ctx context.Context, key string, fetch Fetch) (Fetched, error) {
	if fetch.Lease == 0 {
		fetch.Lease = 10 * time.Second
	}
	fetched, err := c.fetch(ctx, key, fetch, 0)
	if err != nil || fetched.Outcome != "in_progress" || fetch.Wait == 0 {
		return fetched, err
	}
	_, err = untilServed(ctx, c.on, waitName{"cache", "", key}, fetch.Wait, func(longest time.Duration) (err error) {
		fetched, err = c.fetch(ctx, key, fetch, longest)
		return err
	})
	return fetched, err
}

func (c *Cache) fetch(ctx context.Context, key string, fetch Fetch, wait time.Duration) (Fetched, error) {
	var fetched Fetched
	var value, bytes []byte
	var fence sql.NullInt64
	var expiresAt sql.NullTime
	_, err := queryRow(ctx, c.on, `SELECT outcome, value, value_bytes, fence,
	CASE WHEN isfinite(expires_at) THEN expires_at END
FROM idemstore.cache_fetch($1, make_interval(secs => $2), make_interval(secs => $3), make_interval(secs => $4))`,
		[]any{key, inSeconds(fetch.Lease), inSeconds(fetch.Stale), inSeconds(wait)},
		&fetched.Outcome, &value, &bytes, &fence, &expiresAt)
	fetched.Entry = Entry{Value: value, Bytes: bytes}
	fetched.Fence, fetched.ExpiresAt = fence.Int64, expiresAt.Time
	return fetched, err
}

// ErrInProgress is GetOrCompute's when another one computes for longer than Wait.
var ErrInProgress = errors.New("idemstore: the value is being computed elsewhere")

// GetOrCompute returns the value, computed by one caller at a time: the others wait,
// or get the stale one. compute must read what it computes from after it is called.
func (c *Cache) GetOrCompute(ctx context.Context, key string, fetch Fetch, set Set,
	compute func(ctx context.Context) (any, error)) (json.RawMessage, error) {
	fetched, err := c.Fetch(ctx, key, fetch)
	if err != nil {
		return nil, err
	}
	switch fetched.Outcome {
	case "in_progress":
		return nil, ErrInProgress
	case "hit", "stale":
		if fetched.Bytes != nil {
			return fetched.Bytes, nil
		}
		return fetched.Value, nil
	}
	value, err := compute(ctx)
	if err != nil {
		return nil, err
	}
	encoded, err := encode(value)
	if err != nil {
		return nil, err
	}
	set.Fence = fetched.Fence
	_, err = c.Set(ctx, key, json.RawMessage(encoded), &set)
	return json.RawMessage(encoded), err
}
