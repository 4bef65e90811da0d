package idemstore

import (
	"context"
	"time"
)

// Store keeps a value a key, written once: what a service needs that only asks
// whether something was done, and what came out.
type Store struct {
	on  Querier
	ttl time.Duration
}

// NewStore keeps values for ttl; zero is the server's idemstore.default_ttl.
func NewStore(on Querier, ttl time.Duration) *Store { return &Store{on: on, ttl: ttl} }

// Get returns the value, and whether there is one: an empty value is a hit.
func (s *Store) Get(ctx context.Context, key string) ([]byte, bool, error) {
	var value []byte
	_, err := queryRow(ctx, s.on, `SELECT idemstore.get_value($1)`, []any{key}, &value)
	return value, value != nil, err
}

// SetNX stores the value unless the key has one; true if it was stored. An existing
// value and its ttl stay.
func (s *Store) SetNX(ctx context.Context, key string, value []byte) (bool, error) {
	return queryValue[bool](ctx, s.on, `SELECT idemstore.set_nx($1, ttl => make_interval(secs => $2), value => $3)`,
		key, secondsOrNull(s.ttl), notNil(value))
}

// Set stores the value, whatever stood there; true when nothing did.
func (s *Store) Set(ctx context.Context, key string, value []byte) (bool, error) {
	return queryValue[bool](ctx, s.on, `SELECT idemstore.set_value($1, ttl => make_interval(secs => $2), value => $3)`,
		key, secondsOrNull(s.ttl), notNil(value))
}

// NoOpStore stores nothing: Get never finds and SetNX always succeeds.
type NoOpStore struct{}

func (NoOpStore) Get(context.Context, string) ([]byte, bool, error)   { return nil, false, nil }
func (NoOpStore) SetNX(context.Context, string, []byte) (bool, error) { return true, nil }
func (NoOpStore) Set(context.Context, string, []byte) (bool, error)   { return true, nil }

// notNil is an empty value for nil, which some drivers send as NULL.
func notNil(value []byte) []byte {
	if value == nil {
		return []byte{}
	}
	return value
}
