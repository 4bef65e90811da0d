package idemstore

import (
	"context"
	"errors"
	"strings"
	"sync"
)

// mostOut is how many batches may be out before calls gather into the next.
const mostOut = 2

// largestBatch is what acquire_many takes at most.
const largestBatch = 10000

// gatherer sends calls at once while few are out, else it gathers them: under load
// a statement serves many calls, and a call alone waits for nobody.
type gatherer[Q, A any] struct {
	// send answers all calls of a batch, in their order.
	send func(ctx context.Context, calls []Q) ([]A, error)
	// same is whether two calls can go in one statement.
	same func(a, b Q) bool
	// alone is whether to send each call by itself after a batch had this error:
	// when it says that nothing was done, and may be another call's fault.
	alone func(err error) bool

	mutex   sync.Mutex
	out     int
	waiting []*call[Q, A]
}

type call[Q, A any] struct {
	ctx    context.Context
	asked  Q
	answer A
	err    error
	done   chan struct{}
}

func (g *gatherer[Q, A]) do(ctx context.Context, asked Q) (A, error) {
	c := &call[Q, A]{ctx: ctx, asked: asked, done: make(chan struct{})}
	g.mutex.Lock()
	if g.out < mostOut {
		g.out++
		g.mutex.Unlock()
		go g.run([]*call[Q, A]{c})
	} else {
		g.waiting = append(g.waiting, c)
		g.mutex.Unlock()
	}
	select {
	case <-c.done:
		return c.answer, c.err
	case <-ctx.Done():
		var none A
		return none, ctx.Err()
	}
}

// run sends a batch, then what has gathered meanwhile, until nothing has.
func (g *gatherer[Q, A]) run(batch []*call[Q, A]) {
	for len(batch) > 0 {
		if batch = stillWanted(batch); len(batch) > 0 {
			g.answer(batch)
		}
		g.mutex.Lock()
		batch = g.take()
		if len(batch) == 0 {
			g.out--
		}
		g.mutex.Unlock()
	}
}

// take takes the call that waits longest out of those that wait, and all that can
// go with it.
func (g *gatherer[Q, A]) take() (batch []*call[Q, A]) {
	var rest []*call[Q, A]
	for _, c := range g.waiting {
		if len(batch) == 0 || len(batch) < largestBatch && g.same(batch[0].asked, c.asked) {
			batch = append(batch, c)
		} else {
			rest = append(rest, c)
		}
	}
	g.waiting = rest
	return batch
}

// stillWanted are the calls whose callers wait: the others take nothing.
func stillWanted[Q, A any](batch []*call[Q, A]) []*call[Q, A] {
	var wanted []*call[Q, A]
	for _, c := range batch {
		if c.ctx.Err() == nil {
			wanted = append(wanted, c)
		}
	}
	return wanted
}

func (g *gatherer[Q, A]) answer(batch []*call[Q, A]) {
	ctx, cancel := whileAnyWaits(batch)
	defer cancel()
	asked := make([]Q, len(batch))
	for i, c := range batch {
		asked[i] = c.asked
	}
	answers, err := g.send(ctx, asked)
	if err != nil && len(batch) > 1 && g.alone(err) {
		for _, c := range batch {
			g.answer([]*call[Q, A]{c})
		}
		return
	}
	for i, c := range batch {
		if err == nil {
			c.answer = answers[i]
		}
		c.err = err
		close(c.done)
	}
}

// nothingDone says of an error that it came before a batch did anything: of
// arguments (class 22, 54000) or a limit that is not there.
func nothingDone(err error) bool {
	state := stateOf(err)
	return strings.HasPrefix(state, "22") || state == "54000" || errors.Is(err, ErrNoLimit)
}

// whileAnyWaits is a context that ends when the last caller of the batch has gone.
func whileAnyWaits[Q, A any](batch []*call[Q, A]) (context.Context, context.CancelFunc) {
	ctx, cancel := context.WithCancel(context.Background())
	go func() {
		for _, c := range batch {
			select {
			case <-c.ctx.Done():
			case <-ctx.Done():
				return
			}
		}
		cancel()
	}()
	return ctx, cancel
}
