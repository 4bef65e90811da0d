package idemstore

import (
	"context"
	"database/sql"
	"errors"
	"time"
)

// Beginner begins transactions: a *sql.DB or a *sql.Conn.
type Beginner interface {
	BeginTx(ctx context.Context, options *sql.TxOptions) (*sql.Tx, error)
}

// Run does the work once: claim, work and response commit together or not at all.
// An error of work rolls all back and comes out as it is, so that the next call
// works anew. All other outcomes come as Result, and work is not called.
//
// An error of the commit itself leaves open whether it took place: call again with
// the same key, and the answer is Replay if it did.
func (c *Claims) Run(ctx context.Context, db Beginner, options Options,
	work func(ctx context.Context, tx *sql.Tx, claim Claim) (Response, error)) (Result, error) {
	return c.decide(ctx, options, func() (Result, error) {
		var result Result
		err := inTransaction(ctx, db, func(tx *sql.Tx) (err error) {
			result, err = start(ctx, tx, options)
			if err != nil || result.Outcome != Started {
				return err
			}
			response, err := work(ctx, tx, result.Claim)
			if err != nil {
				return err
			}
			result.Response = &response
			_, err = complete(ctx, tx, result.Claim, response)
			return err
		})
		return result, err
	})
}

// RunOutside is for work that must not hold a transaction open, such as a call to a
// payment provider: a claim, the work, then a transaction of finish and the
// response. The lease is extended while work goes on; when the claim is lost all
// the same, work's context ends and the error is ErrLostClaim. When work or finish
// fail, the attempt is ended so that the next call begins another one, with the
// recovery point. A lease of zero is five minutes.
func (c *Claims) RunOutside(ctx context.Context, db Beginner, options Options,
	work func(ctx context.Context, claim Claim) error,
	finish func(ctx context.Context, tx *sql.Tx, claim Claim) (Response, error)) (Result, error) {
	if options.Lease == 0 {
		options.Lease = 5 * time.Minute
	}
	result, err := c.Start(ctx, options)
	if err != nil || result.Outcome != Started {
		return result, err
	}
	finished := false
	defer func() {
		if !finished {
			c.giveUp(result.Claim)
		}
	}()
	err = c.keepLease(ctx, result.Claim, options.Lease, work)
	if err != nil {
		return result, err
	}
	err = inTransaction(ctx, db, func(tx *sql.Tx) error {
		response, err := finish(ctx, tx, result.Claim)
		if err != nil {
			return err
		}
		result.Response = &response
		_, err = complete(ctx, tx, result.Claim, response)
		return err
	})
	finished = err == nil
	return result, err
}

// giveUp ends the attempt, whatever became of the caller's context. Should it fail,
// the end of the lease does the same.
func (c *Claims) giveUp(claim Claim) {
	ctx, cancel := context.WithTimeout(context.Background(), 5*time.Second)
	defer cancel()
	_, _ = c.Fail(ctx, claim, nil, true, Response{})
}

// keepLease runs work while another goroutine extends the lease, which ends before
// this returns.
func (c *Claims) keepLease(ctx context.Context, claim Claim, lease time.Duration,
	work func(ctx context.Context, claim Claim) error) error {
	ctx, cancel := context.WithCancel(ctx)
	lost := make(chan error, 1)
	go func() {
		defer close(lost)
		if err := c.extendUntil(ctx, claim, lease); err != nil {
			lost <- err
			cancel()
		}
	}()
	var lostClaim error
	err := func() error {
		defer func() {
			cancel()
			lostClaim = <-lost
		}()
		return work(ctx, claim)
	}()
	if lostClaim != nil {
		return lostClaim
	}
	return err
}

// extendUntil extends the lease three times in its length. A database that cannot
// be reached is asked again: the claim may well outlive that.
func (c *Claims) extendUntil(ctx context.Context, claim Claim, lease time.Duration) error {
	ticker := time.NewTicker(lease / 3)
	defer ticker.Stop()
	for {
		select {
		case <-ctx.Done():
			return nil
		case <-ticker.C:
		}
		_, err := c.Extend(ctx, claim, lease)
		if errors.Is(err, ErrLostClaim) || errors.Is(err, ErrNotFound) || errors.Is(err, ErrAlreadyFinal) {
			return err
		}
	}
}

// inTransaction commits if work succeeds; an error or a panic of it rolls back.
func inTransaction(ctx context.Context, db Beginner, work func(tx *sql.Tx) error) error {
	tx, err := db.BeginTx(ctx, nil)
	if err != nil {
		return err
	}
	defer tx.Rollback() // does nothing after the commit
	if err := work(tx); err != nil {
		return err
	}
	return named(tx.Commit())
}
