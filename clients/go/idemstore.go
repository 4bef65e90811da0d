// Package idemstore calls the PostgreSQL extension idemstore through
// database/sql: idempotency records, dedupe of work in flight, a cache with tags
// and rate limits. Every method is one statement; every decision is the server's.
//
// It works with any driver whose errors have a method SQLState() string, as those
// of lib/pq and pgx do. A context that ends cancels the statement on the server,
// too. Durations are sent as seconds; one that is zero stands for the server's
// default.
package idemstore

import (
	"context"
	"database/sql"
	"encoding/json"
	"errors"
	"strings"
	"time"
)

// Querier is what a call needs: a *sql.DB, *sql.Conn or *sql.Tx. Within a *sql.Tx
// a call commits and rolls back with everything else that is done in it.
type Querier interface {
	QueryContext(ctx context.Context, query string, args ...any) (*sql.Rows, error)
}

// The errors of the extension, to be asked for by errors.Is. The driver's own
// error is behind them, for errors.As.
var (
	ErrNotFound     = errors.New("idemstore: there is no such live record (ID404)")
	ErrWaitTimeout  = errors.New("idemstore: the wait timed out (ID408)")
	ErrLostClaim    = errors.New("idemstore: the claim is lost (ID412)")
	ErrTooLarge     = errors.New("idemstore: the value is too large (ID413)")
	ErrAlreadyFinal = errors.New("idemstore: the record is final already (ID425)")
	ErrNoLimit      = errors.New("idemstore: no limit is configured (ID428)")
)

var byState = map[string]error{
	"ID404": ErrNotFound,
	"ID408": ErrWaitTimeout,
	"ID412": ErrLostClaim,
	"ID413": ErrTooLarge,
	"ID425": ErrAlreadyFinal,
	"ID428": ErrNoLimit,
}

// Error is a driver's error and what it means.
type Error struct {
	State string // SQLSTATE
	kind  error
	cause error
}

func (e *Error) Error() string        { return e.kind.Error() + ": " + e.cause.Error() }
func (e *Error) Unwrap() error        { return e.cause }
func (e *Error) Is(target error) bool { return target == e.kind }

// named puts the extension's meaning before an error that has one.
func named(err error) error {
	state := stateOf(err)
	if kind, ours := byState[state]; ours {
		return &Error{State: state, kind: kind, cause: err}
	}
	return err
}

func stateOf(err error) string {
	var coded interface{ SQLState() string }
	if errors.As(err, &coded) {
		return coded.SQLState()
	}
	return ""
}

// queryRow runs a statement and scans its first row; false when there is none.
func queryRow(ctx context.Context, on Querier, query string, args []any, into ...any) (bool, error) {
	rows, err := on.QueryContext(ctx, query, args...)
	if err != nil {
		return false, named(err)
	}
	defer rows.Close()
	found := rows.Next()
	if found {
		if err := rows.Scan(into...); err != nil {
			return false, named(err)
		}
	}
	// What fails in the middle of a result is told by Err, and by Close of a cancelled one.
	if err := rows.Err(); err != nil {
		return false, named(err)
	}
	return found, named(rows.Close())
}

// queryValue is queryRow for a statement that always gives one row of one value.
func queryValue[T any](ctx context.Context, on Querier, query string, args ...any) (T, error) {
	var value T
	_, err := queryRow(ctx, on, query, args, &value)
	return value, err
}

// queryEach runs a statement and calls scan for each of its rows.
func queryEach(ctx context.Context, on Querier, query string, args []any, scan func(*sql.Rows) error) error {
	rows, err := on.QueryContext(ctx, query, args...)
	if err != nil {
		return named(err)
	}
	defer rows.Close()
	for rows.Next() {
		if err := scan(rows); err != nil {
			return named(err)
		}
	}
	return named(rows.Err())
}

// inSeconds is a duration in whole microseconds, the least that PostgreSQL knows,
// rounded away from zero: a ttl of zero would be for ever.
func inSeconds(d time.Duration) float64 {
	rounded := d.Truncate(time.Microsecond)
	switch {
	case rounded < d:
		rounded += time.Microsecond
	case rounded > d:
		rounded -= time.Microsecond
	}
	return rounded.Seconds()
}

// secondsOrNull is a duration for make_interval(secs => …), which gives NULL for nil:
// the server's default.
func secondsOrNull(d time.Duration) any {
	if d == 0 {
		return nil
	}
	return inSeconds(d)
}

// orNull is nil for what was left out.
func orNull[T comparable](value T) any {
	var zero T
	if value == zero {
		return nil
	}
	return value
}

// encode is a value as JSON text; a json.RawMessage stays as it is.
func encode(value any) (string, error) {
	if raw, isRaw := value.(json.RawMessage); isRaw && raw != nil {
		return string(raw), nil
	}
	encoded, err := json.Marshal(value)
	return string(encoded), err
}

// encodeOrNull is encode for an argument that may be left out: NULL for nil.
func encodeOrNull(value any) (any, error) {
	if value == nil {
		return nil, nil
	}
	return encode(value)
}

// array is a text[] as PostgreSQL writes it: no driver's own type is needed.
func array(elements []string) string {
	texts := make([]string, len(elements))
	for i, element := range elements {
		texts[i] = quoted(element)
	}
	return "{" + strings.Join(texts, ",") + "}"
}

func quoted(element string) string { return `"` + arrayEscapes.Replace(element) + `"` }

var arrayEscapes = strings.NewReplacer(`\`, `\\`, `"`, `\"`)

func milliseconds(ms sql.NullFloat64) time.Duration {
	return time.Duration(ms.Float64 * float64(time.Millisecond))
}
