package idemstore

import (
	"context"
	"database/sql"
	"sync"
	"time"
)

// mostWaiters is how many connections of a pool wait at once, and the last one
// never does: the owners that are waited for need connections, too.
const mostWaiters = 4

// waitName is what is waited for: one waiter a name in a process.
type waitName struct{ family, scope, key string }

// waiters are those of one pool.
type waiters struct {
	users int                        // callers, whether their statement is out or not
	out   int                        // statements that wait
	names map[waitName]chan struct{} // of these; closed when it ends
	freed chan struct{}              // closed when a statement ends, and made anew
}

// The pools that are waited on, as long as they are.
var (
	poolsMutex sync.Mutex
	pools      = map[*sql.DB]*waiters{}
)

// mostOn is how many may wait on the pool now.
func mostOn(db *sql.DB) int {
	open := db.Stats().MaxOpenConnections
	if open == 0 || open > mostWaiters {
		return mostWaiters
	}
	return open - 1
}

// waitTurn has one caller a name wait on the server: served is true for him. The
// others return when he has done, when a connection is free to wait on, or after a
// while, to look again.
func waitTurn(ctx context.Context, db *sql.DB, name waitName, longest time.Duration,
	onServer func(longest time.Duration) error) (served bool, err error) {
	other, served := enter(db, name)
	defer leave(db, name, served)
	if served {
		return true, onServer(longest)
	}
	timer := time.NewTimer(longest)
	defer timer.Stop()
	select {
	case <-other:
	case <-timer.C:
	case <-ctx.Done():
		return false, ctx.Err()
	}
	return false, nil
}

// enter is true when it is the caller who waits on the server, or gives what tells
// that it is time to look again.
func enter(db *sql.DB, name waitName) (<-chan struct{}, bool) {
	poolsMutex.Lock()
	defer poolsMutex.Unlock()
	w := pools[db]
	if w == nil {
		w = &waiters{names: map[waitName]chan struct{}{}, freed: make(chan struct{})}
		pools[db] = w
	}
	w.users++
	if other := w.names[name]; other != nil {
		return other, false
	}
	if w.out >= mostOn(db) {
		return w.freed, false
	}
	w.out++
	w.names[name] = make(chan struct{})
	return nil, true
}

func leave(db *sql.DB, name waitName, served bool) {
	poolsMutex.Lock()
	defer poolsMutex.Unlock()
	w := pools[db]
	if w.users--; w.users == 0 {
		delete(pools, db)
	}
	if !served {
		return
	}
	w.out--
	close(w.names[name])
	delete(w.names, name)
	close(w.freed)
	w.freed = make(chan struct{})
}

// untilServed waits for the caller's own answer, or says false when the time is
// over before it was his turn.
func untilServed(ctx context.Context, on Querier, name waitName, wait time.Duration,
	onServer func(longest time.Duration) error) (bool, error) {
	db, isPool := on.(*sql.DB)
	if !isPool || mostOn(db) == 0 {
		return true, onServer(wait)
	}
	for deadline := time.Now().Add(wait); ; {
		left := time.Until(deadline)
		if left <= 0 {
			return false, nil
		}
		if served, err := waitTurn(ctx, db, name, left, onServer); served || err != nil {
			return served, err
		}
	}
}
