package idemstore

import (
	"context"
	"encoding/json"
	"time"
)

// Dedupe has work that several want at once done by one of them.
type Dedupe struct{ on Querier }

// NewDedupe works on a *sql.DB, or within a transaction. Waits take connections as
// those of NewClaims do.
func NewDedupe(on Querier) *Dedupe { return &Dedupe{on: on} }

// Job is what a caller owns or has joined.
type Job struct {
	Hash    string
	ID      string
	IsOwner bool
}

// Done is how a job ended.
type Done struct {
	Outcome string // completed, failed, timeout or absent
	Value   json.RawMessage
	Error   json.RawMessage
}

// RegisterOrJoin makes the caller the owner of the work, or has him join who is. A
// timeout of 0 is the server's idemstore.default_job_timeout.
func (d *Dedupe) RegisterOrJoin(ctx context.Context, hash string, timeout time.Duration) (Job, error) {
	job := Job{Hash: hash}
	_, err := queryRow(ctx, d.on, `SELECT job_id, is_owner FROM idemstore.dedupe_register_or_join($1, make_interval(secs => $2))`,
		[]any{hash, secondsOrNull(timeout)}, &job.ID, &job.IsOwner)
	return job, err
}

// Complete ends the job with its value; false when it is no longer the caller's.
func (d *Dedupe) Complete(ctx context.Context, job Job, value any) (bool, error) {
	encoded, err := encode(value)
	if err != nil {
		return false, err
	}
	return queryValue[bool](ctx, d.on, `SELECT idemstore.dedupe_complete($1, $2::json, $3::uuid)`, job.Hash, encoded, job.ID)
}

// Fail ends the job without a value; false when it is no longer the caller's.
func (d *Dedupe) Fail(ctx context.Context, job Job, failure any) (bool, error) {
	encoded, err := encodeOrNull(failure)
	if err != nil {
		return false, err
	}
	return queryValue[bool](ctx, d.on, `SELECT idemstore.dedupe_fail($1, $2::json, $3::uuid)`, job.Hash, encoded, job.ID)
}

// WaitFor waits for the end of the job, at most timeout.
func (d *Dedupe) WaitFor(ctx context.Context, job Job, timeout time.Duration) (Done, error) {
	done := Done{Outcome: "timeout"}
	_, err := untilServed(ctx, d.on, waitName{"dedupe", "", job.Hash}, timeout, func(longest time.Duration) error {
		var value, failure []byte
		_, err := queryRow(ctx, d.on,
			`SELECT outcome, value, error FROM idemstore.dedupe_wait_for($1, make_interval(secs => $2), $3::uuid)`,
			[]any{job.Hash, inSeconds(longest), job.ID}, &done.Outcome, &value, &failure)
		done.Value, done.Error = value, failure
		return err
	})
	return done, err
}

// IsInProgress is whether the job is pending and within its timeout.
func (d *Dedupe) IsInProgress(ctx context.Context, hash string) (bool, error) {
	return queryValue[bool](ctx, d.on, `SELECT idemstore.dedupe_is_in_progress($1)`, hash)
}
