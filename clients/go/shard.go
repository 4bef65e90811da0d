package idemstore

import (
	"context"
	"crypto/sha256"
	"database/sql"
	"encoding/binary"
	"errors"
)

// Shard says which of n shards, 0 to n-1, a key belongs to, as idemstore.shard()
// does in SQL: jump consistent hash (Lamping and Veach) over the first eight bytes
// of the key's SHA-256. It panics when n is below 1.
func Shard(key string, n int) int {
	if n < 1 {
		panic("idemstore: the number of shards must be at least 1")
	}
	digest := sha256.Sum256([]byte(key))
	state := binary.BigEndian.Uint64(digest[:8])
	shard, next := int64(-1), int64(0)
	for next < int64(n) {
		shard = next
		state = state*2862933555777941757 + 1
		next = int64(float64(shard+1) * (float64(int64(1)<<31) / float64((state>>33)+1)))
	}
	return int(shard)
}

// Sharded chooses the database of a key. The whole transaction goes there: claim,
// business rows and response. The number of databases must not change while they
// have records; move whole databases between servers instead.
type Sharded struct{ databases []*sql.DB }

// NewSharded takes the databases in the order of their shards.
func NewSharded(databases ...*sql.DB) (*Sharded, error) {
	if len(databases) == 0 {
		return nil, errors.New("idemstore: there must be at least one database")
	}
	return &Sharded{databases}, nil
}

// DB is the database of the key.
func (s *Sharded) DB(key string) *sql.DB { return s.databases[Shard(key, len(s.databases))] }

// Run is Claims.Run on the shard of the key.
func (s *Sharded) Run(ctx context.Context, options Options,
	work func(ctx context.Context, tx *sql.Tx, claim Claim) (Response, error)) (Result, error) {
	db := s.DB(options.Key)
	return NewClaims(db).Run(ctx, db, options, work)
}

// RunOutside is Claims.RunOutside on the shard of the key.
func (s *Sharded) RunOutside(ctx context.Context, options Options,
	work func(ctx context.Context, claim Claim) error,
	finish func(ctx context.Context, tx *sql.Tx, claim Claim) (Response, error)) (Result, error) {
	db := s.DB(options.Key)
	return NewClaims(db).RunOutside(ctx, db, options, work, finish)
}
