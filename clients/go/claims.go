package idemstore

import (
	"context"
	"database/sql"
	"encoding/json"
	"errors"
	"net/http"
	"time"
)

// Outcome is what start_processing decided.
type Outcome string

const (
	Started    Outcome = "started"     // the caller owns the key and does the work
	Replay     Outcome = "replay"      // the work was done: Result.Response is its response
	Failed     Outcome = "failed"      // it failed for good: Result.Error says how
	InProgress Outcome = "in_progress" // another one is at it: ask again after Result.RetryAfter
	Mismatch   Outcome = "mismatch"    // the key was used for another request
	Duplicate  Outcome = "duplicate"   // another key, Result.ConflictingKey, has this fingerprint
	Abandoned  Outcome = "abandoned"   // the owner died, and NoTakeover was asked for
)

// Options are those of a claim. Only Key is needed.
type Options struct {
	Key               string
	Fingerprint       string // of the request's content; with another one the outcome is Mismatch
	Scope             string // a namespace for keys
	TTL               time.Duration
	Lease             time.Duration // after which another one may take over
	Wait              time.Duration // how long to wait for an owner, at most a day
	Owner             string        // the same owner again is told Started with the same fence
	NoTakeover        bool
	UniqueFingerprint bool
	Context           any // JSON, kept with the record
}

// Response is what is stored and replayed. A zero Status and a nil Body stand for
// NULL; an empty Body is not nil.
type Response struct {
	Status int
	Header http.Header
	Body   []byte
}

// Claim is what the owner of a key holds. Its fence goes with every later call: a
// claim that was taken over changes nothing any more, and gets ErrLostClaim.
type Claim struct {
	Key           string
	Scope         string
	Fence         int64
	Attempt       int
	RecoveryPoint string          // how far the former attempt came
	State         json.RawMessage // what it left there; nil when nothing
}

// Result is an outcome and what belongs to it.
type Result struct {
	Outcome        Outcome
	Claim          Claim         // Started
	Response       *Response     // Replay and Failed; what Run's function returned
	RetryAfter     time.Duration // InProgress
	ConflictingKey string        // Duplicate
	Error          json.RawMessage
}

// Claims are the idempotency records of a database.
type Claims struct{ on Querier }

// NewClaims works on a *sql.DB, or within a transaction. Calls that wait take at
// most four connections of the pool at once, and never its last one: with a single
// connection nobody waits.
func NewClaims(on Querier) *Claims { return &Claims{on: on} }

const startStatement = `SELECT outcome, fence, attempt, retry_after_ms, conflicting_key, response_status,
	response_headers, response_body, error, recovery_point, checkpoint
FROM idemstore.start_processing($1, $2, make_interval(secs => $3), $4, lease => make_interval(secs => $5),
	owner => $6, takeover => $7, unique_fingerprint => $8, context => $9::json)`

// Start claims the key, or says why not. It waits for the owner as long as
// Options.Wait. Errors: those of arguments.
func (c *Claims) Start(ctx context.Context, options Options) (Result, error) {
	return c.decide(ctx, options, func() (Result, error) { return start(ctx, c.on, options) })
}

// decide decides again and again while the key is in progress and time is left.
// What it waits in holds no transaction.
func (c *Claims) decide(ctx context.Context, o Options, once func() (Result, error)) (Result, error) {
	db, isPool := c.on.(*sql.DB)
	deadline := time.Now().Add(o.Wait)
	for {
		result, err := once()
		left := time.Until(deadline)
		if err != nil || result.Outcome != InProgress || left <= 0 || !isPool || mostOn(db) == 0 {
			return result, err
		}
		// An owner whose lease ends is taken over, which only deciding again does.
		if result.RetryAfter > 0 && result.RetryAfter < left {
			left = result.RetryAfter
		}
		_, err = waitTurn(ctx, db, waitName{"claim", o.Scope, o.Key}, left, func(longest time.Duration) error {
			return waitForRecord(ctx, db, o, longest)
		})
		if err != nil {
			return result, err
		}
	}
}

// waitForRecord returns when the record is final or gone, or after the longest wait.
func waitForRecord(ctx context.Context, db *sql.DB, o Options, longest time.Duration) error {
	_, err := queryRow(ctx, db, `SELECT 1 FROM idemstore.wait($1, make_interval(secs => $2), $3)`,
		[]any{o.Key, inSeconds(longest), o.Scope}, new(int))
	if errors.Is(err, ErrWaitTimeout) {
		return nil
	}
	return err
}

// start decides once, without waiting.
func start(ctx context.Context, on Querier, o Options) (Result, error) {
	var result Result
	var row struct {
		fence, attempt, status sql.NullInt64
		retryAfterMs           sql.NullFloat64
		conflictingKey, point  sql.NullString
		headers, body          []byte
		failure, state         []byte
	}
	claimContext, err := encodeOrNull(o.Context)
	if err != nil {
		return result, err
	}
	_, err = queryRow(ctx, on, startStatement,
		[]any{o.Key, orNull(o.Fingerprint), secondsOrNull(o.TTL), o.Scope, secondsOrNull(o.Lease),
			orNull(o.Owner), !o.NoTakeover, o.UniqueFingerprint, claimContext},
		&result.Outcome, &row.fence, &row.attempt, &row.retryAfterMs, &row.conflictingKey, &row.status,
		&row.headers, &row.body, &row.failure, &row.point, &row.state)
	if err != nil {
		return result, err
	}
	result.RetryAfter = milliseconds(row.retryAfterMs)
	result.ConflictingKey = row.conflictingKey.String
	result.Error = row.failure
	switch result.Outcome {
	case Started:
		result.Claim = Claim{Key: o.Key, Scope: o.Scope, Fence: row.fence.Int64, Attempt: int(row.attempt.Int64),
			RecoveryPoint: row.point.String, State: row.state}
	case Replay, Failed:
		header, err := headerFrom(row.headers)
		if err != nil {
			return result, err
		}
		result.Response = &Response{Status: int(row.status.Int64), Header: header, Body: row.body}
	}
	return result, nil
}

// Complete stores the response and makes the record final; false when it stood so
// already. Errors: ErrLostClaim, ErrNotFound, ErrAlreadyFinal, ErrTooLarge.
func (c *Claims) Complete(ctx context.Context, claim Claim, response Response) (bool, error) {
	return complete(ctx, c.on, claim, response)
}

func complete(ctx context.Context, on Querier, claim Claim, response Response) (bool, error) {
	headers, err := headerJSON(response.Header)
	if err != nil {
		return false, err
	}
	return queryValue[bool](ctx, on,
		`SELECT idemstore.complete($1, $2, $3::json, fence => $4, scope => $5, response_body => $6)`,
		claim.Key, orNull(response.Status), headers, claim.Fence, claim.Scope, orNilBytes(response.Body))
}

// Fail ends the attempt. For good, it is replayed as Failed; if retryable, the next
// start owns the key, with the recovery point. failure is JSON, or nil.
func (c *Claims) Fail(ctx context.Context, claim Claim, failure any, retryable bool, response Response) (bool, error) {
	headers, err := headerJSON(response.Header)
	if err != nil {
		return false, err
	}
	encoded, err := encodeOrNull(failure)
	if err != nil {
		return false, err
	}
	return queryValue[bool](ctx, c.on,
		`SELECT idemstore.fail($1, $2::json, $3, $4, $5::json, fence => $6, scope => $7, response_body => $8)`,
		claim.Key, encoded, retryable, orNull(response.Status), headers, claim.Fence, claim.Scope, orNilBytes(response.Body))
}

// Release gives the claim back as if it never was; false when there is none.
func (c *Claims) Release(ctx context.Context, claim Claim) (bool, error) {
	return queryValue[bool](ctx, c.on, `SELECT idemstore.release($1, $2, $3)`, claim.Key, claim.Fence, claim.Scope)
}

// Extend holds the claim for at least another lease from now, and says until when.
func (c *Claims) Extend(ctx context.Context, claim Claim, lease time.Duration) (time.Time, error) {
	return queryValue[time.Time](ctx, c.on, `SELECT idemstore.extend_lease($1, $2, make_interval(secs => $3), $4)`,
		claim.Key, claim.Fence, secondsOrNull(lease), claim.Scope)
}

// Checkpoint notes how far the work has come, for the next attempt should this one
// die. state is JSON, or nil.
func (c *Claims) Checkpoint(ctx context.Context, claim Claim, point string, state any) (bool, error) {
	encoded, err := encodeOrNull(state)
	if err != nil {
		return false, err
	}
	return queryValue[bool](ctx, c.on, `SELECT idemstore.checkpoint($1, $2, $3::json, $4, $5)`,
		claim.Key, point, encoded, claim.Fence, claim.Scope)
}

// AssertOwner makes sure, to the end of the transaction, that nobody takes the
// claim over: of NewClaims(tx).
func (c *Claims) AssertOwner(ctx context.Context, claim Claim) error {
	_, err := queryValue[bool](ctx, c.on, `SELECT idemstore.assert_owner($1, $2, $3)`, claim.Key, claim.Fence, claim.Scope)
	return err
}

// Fingerprint is the hash of a JSON text that ignores the order of its keys and how
// its numbers are written. exclude are names at the top level to be left out.
func (c *Claims) Fingerprint(ctx context.Context, payload json.RawMessage, exclude ...string) (string, error) {
	return queryValue[string](ctx, c.on, `SELECT idemstore.fingerprint($1::json, $2::text[])`, string(payload), array(exclude))
}

// orNilBytes is an untyped nil for nil: a nil []byte is an empty one to some drivers.
func orNilBytes(body []byte) any {
	if body == nil {
		return nil
	}
	return body
}
