package test

import (
	"bytes"
	"context"
	"database/sql"
	"errors"
	"net/http"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	idemstore "idemstore.example/idemstore"
)

func TestShard(t *testing.T) {
	counts := []int{1, 2, 4, 16, 64, 1000}
	vectors := map[string][]int{
		"":        {0, 1, 2, 5, 22, 22},
		"a":       {0, 1, 1, 1, 50, 912},
		"order-1": {0, 1, 2, 10, 10, 214},
		"ключ":    {0, 1, 2, 2, 63, 324},
		"user/42": {0, 0, 0, 0, 48, 806},
	}
	for key, shards := range vectors {
		for i, n := range counts {
			if got := idemstore.Shard(key, n); got != shards[i] {
				t.Errorf("Shard(%q, %d) = %d, not %d", key, n, got, shards[i])
			}
		}
	}
}

// charge is business work in the claim's transaction.
func charge(ctx context.Context, tx *sql.Tx, claim idemstore.Claim) (idemstore.Response, error) {
	_, err := tx.ExecContext(ctx, `INSERT INTO charges VALUES ($1)`, claim.Key)
	return idemstore.Response{Status: 201, Header: http.Header{"X-A": {"1", "2"}}, Body: []byte("paid")}, err
}

func TestRun(t *testing.T) {
	db := open(t, 0)
	claims := idemstore.NewClaims(db)
	options := idemstore.Options{Key: newKey(), Fingerprint: "f", Context: map[string]int{"a": 1}}

	first := must[idemstore.Result](t)(claims.Run(background, db, options, charge))
	if first.Outcome != idemstore.Started || first.Claim.Attempt != 1 || string(first.Response.Body) != "paid" {
		t.Fatalf("the first run: %+v", first)
	}
	again := must[idemstore.Result](t)(claims.Run(background, db, options, charge))
	if again.Outcome != idemstore.Replay || again.Response.Status != 201 || string(again.Response.Body) != "paid" ||
		len(again.Response.Header["X-A"]) != 2 {
		t.Fatalf("the second run: %+v", again)
	}
	options.Fingerprint = "g"
	if other := must[idemstore.Result](t)(claims.Run(background, db, options, charge)); other.Outcome != idemstore.Mismatch {
		t.Fatalf("another request: %+v", other)
	}
	if n := count(t, db, `SELECT count(*) FROM charges WHERE payment = $1`, options.Key); n != 1 {
		t.Fatalf("%d charges", n)
	}
}

func TestRunRollsBack(t *testing.T) {
	db := open(t, 0)
	claims := idemstore.NewClaims(db)
	options := idemstore.Options{Key: newKey()}
	wrong := errors.New("wrong")

	_, err := claims.Run(background, db, options, func(ctx context.Context, tx *sql.Tx, claim idemstore.Claim) (idemstore.Response, error) {
		response, _ := charge(ctx, tx, claim)
		return response, wrong
	})
	if err != wrong {
		t.Fatalf("the work's own error came out as %v", err)
	}
	func() {
		defer func() {
			if recover() != "broken" {
				t.Error("a panic did not come out")
			}
		}()
		claims.Run(background, db, options, func(ctx context.Context, tx *sql.Tx, claim idemstore.Claim) (idemstore.Response, error) {
			charge(ctx, tx, claim)
			panic("broken")
		})
	}()
	result := must[idemstore.Result](t)(claims.Run(background, db, options, charge))
	if n := count(t, db, `SELECT count(*) FROM charges WHERE payment = $1`, options.Key); n != 1 || result.Claim.Attempt != 1 {
		t.Fatalf("%d charges, %+v", n, result)
	}
}

// Bodies come back byte for byte, and NULL, empty and absent differ.
func TestBodies(t *testing.T) {
	db := open(t, 0)
	claims := idemstore.NewClaims(db)
	large := bytes.Repeat([]byte{0, '\\', '\'', 0xff, '"', '{', '$', '\n'}, 5<<20/8)
	for _, body := range [][]byte{nil, {}, []byte(`{"path":"C:\\dir"}`), {0}, {0xc3, 0x28}, large} {
		claim := must[idemstore.Result](t)(claims.Start(background, idemstore.Options{Key: newKey()})).Claim
		response := idemstore.Response{Status: 200, Body: body}
		if !must[bool](t)(claims.Complete(background, claim, response)) {
			t.Fatal("not completed")
		}
		if must[bool](t)(claims.Complete(background, claim, response)) {
			t.Fatal("completed twice")
		}
		result := must[idemstore.Result](t)(claims.Start(background, idemstore.Options{Key: claim.Key}))
		got := result.Response
		if !bytes.Equal(got.Body, body) || (got.Body == nil) != (body == nil) || got.Header != nil {
			t.Fatalf("%d bytes came back as %d, nil %t", len(body), len(got.Body), got.Body == nil)
		}
	}
}

func TestErrors(t *testing.T) {
	db := open(t, 0)
	claims := idemstore.NewClaims(db)
	claim := must[idemstore.Result](t)(claims.Start(background, idemstore.Options{Key: newKey()})).Claim
	stale, absent := claim, claim
	stale.Fence--
	absent.Key = newKey()

	check := func(what error, err error) {
		t.Helper()
		var coded interface{ SQLState() string }
		if !errors.Is(err, what) || !errors.As(err, &coded) {
			t.Errorf("%v is not %v", err, what)
		}
	}
	_, err := claims.Complete(background, stale, idemstore.Response{})
	check(idemstore.ErrLostClaim, err)
	check(idemstore.ErrLostClaim, claims.AssertOwner(background, stale))
	_, err = claims.Complete(background, absent, idemstore.Response{})
	check(idemstore.ErrNotFound, err)
	connection := must[*sql.Conn](t)(db.Conn(background))
	defer connection.Close()
	if _, err := connection.ExecContext(background, `SET idemstore.max_body_size = '1kB'`); err != nil {
		t.Fatal(err)
	}
	_, err = idemstore.NewClaims(connection).Complete(background, claim, idemstore.Response{Body: make([]byte, 1025)})
	check(idemstore.ErrTooLarge, err)
	must[bool](t)(claims.Complete(background, claim, idemstore.Response{Status: 200}))
	_, err = claims.Complete(background, claim, idemstore.Response{Status: 201})
	check(idemstore.ErrAlreadyFinal, err)
	_, err = idemstore.NewLimits(db).Acquire(background, newKey(), nil)
	check(idemstore.ErrNoLimit, err)
	_, err = claims.Start(background, idemstore.Options{Key: newKey(), Lease: 24 * time.Hour * 1e3})
	if err == nil {
		t.Error("a lease of 1000 days was taken")
	}
}

func TestFail(t *testing.T) {
	db := open(t, 0)
	claims := idemstore.NewClaims(db)
	options := idemstore.Options{Key: newKey(), Scope: "tenant"}
	claim := must[idemstore.Result](t)(claims.Start(background, options)).Claim
	must[bool](t)(claims.Checkpoint(background, claim, "sent", map[string]any{"id": 7}))
	must[bool](t)(claims.Fail(background, claim, map[string]string{"message": "try again"}, true, idemstore.Response{}))

	next := must[idemstore.Result](t)(claims.Start(background, options))
	if next.Outcome != idemstore.Started || next.Claim.Attempt != 2 || next.Claim.RecoveryPoint != "sent" || string(next.Claim.State) != `{"id":7}` {
		t.Fatalf("the next attempt: %+v", next)
	}
	must[bool](t)(claims.Fail(background, next.Claim, "no", false, idemstore.Response{Status: 402, Body: []byte("declined")}))
	last := must[idemstore.Result](t)(claims.Start(background, options))
	if last.Outcome != idemstore.Failed || string(last.Error) != `"no"` || last.Response.Status != 402 || string(last.Response.Body) != "declined" {
		t.Fatalf("the failed request again: %+v", last)
	}
	// tenants never meet
	options.Scope = "other"
	if other := must[idemstore.Result](t)(claims.Start(background, options)); other.Outcome != idemstore.Started {
		t.Fatalf("another tenant: %+v", other)
	} else if !must[bool](t)(claims.Release(background, other.Claim)) {
		t.Fatal("not released")
	}
}

func TestRunOutside(t *testing.T) {
	db := open(t, 0)
	claims := idemstore.NewClaims(db)
	options := idemstore.Options{Key: newKey(), Lease: 300 * time.Millisecond}
	finish := func(ctx context.Context, tx *sql.Tx, claim idemstore.Claim) (idemstore.Response, error) {
		return charge(ctx, tx, claim)
	}
	wrong := errors.New("wrong")

	// The lease is extended while the work goes on.
	_, err := claims.RunOutside(background, db, options, func(ctx context.Context, claim idemstore.Claim) error {
		ends := func() (at time.Time) {
			db.QueryRow(`SELECT lease_expires_at FROM idemstore.get($1)`, claim.Key).Scan(&at)
			return at
		}
		first := ends()
		eventually(func() bool { return ends().After(first.Add(options.Lease)) })
		must[bool](t)(claims.Checkpoint(ctx, claim, "half", nil))
		return wrong
	}, finish)
	if err != wrong {
		t.Fatal(err)
	}
	// A failed attempt is followed by the next at once, which knows how far it came.
	result := must[idemstore.Result](t)(claims.RunOutside(background, db, options, func(ctx context.Context, claim idemstore.Claim) error {
		if claim.Attempt != 2 || claim.RecoveryPoint != "half" {
			t.Errorf("the second attempt: %+v", claim)
		}
		return nil
	}, finish))
	if result.Outcome != idemstore.Started || count(t, db, `SELECT count(*) FROM charges WHERE payment = $1`, options.Key) != 1 {
		t.Fatalf("%+v", result)
	}
}

// Who lost the claim is told so while he works, and what he finishes is refused.
func TestLostClaim(t *testing.T) {
	db := open(t, 0)
	claims := idemstore.NewClaims(db)
	options := idemstore.Options{Key: newKey(), Lease: 200 * time.Millisecond}
	_, err := claims.RunOutside(background, db, options, func(ctx context.Context, claim idemstore.Claim) error {
		if _, err := db.Exec(`SELECT idemstore.set_value($1, 'taken')`, claim.Key); err != nil {
			t.Fatal(err)
		}
		<-ctx.Done()
		return ctx.Err()
	}, charge)
	if !errors.Is(err, idemstore.ErrLostClaim) && !errors.Is(err, idemstore.ErrAlreadyFinal) {
		t.Fatalf("a lost claim is told as %v", err)
	}
	if n := count(t, db, `SELECT count(*) FROM charges WHERE payment = $1`, options.Key); n != 0 {
		t.Fatalf("%d charges", n)
	}
}

// 60 calls at once are one execution.
func TestOneOfMany(t *testing.T) {
	db := open(t, 10)
	claims := idemstore.NewClaims(db)
	options := idemstore.Options{Key: newKey(), Wait: time.Hour}
	var executed, replayed int32
	var group sync.WaitGroup
	for i := 0; i < 60; i++ {
		group.Add(1)
		go func() {
			defer group.Done()
			result, err := claims.Run(background, db, options, charge)
			switch {
			case err != nil:
				t.Error(err)
			case result.Outcome == idemstore.Started:
				atomic.AddInt32(&executed, 1)
			case result.Outcome == idemstore.Replay:
				atomic.AddInt32(&replayed, 1)
			}
		}()
	}
	group.Wait()
	if executed != 1 || replayed != 59 {
		t.Fatalf("%d executed, %d replayed", executed, replayed)
	}
}

// A pool of 2 and 100 waiters: the owner is never short of a connection.
func TestWaitersLeaveOwnersTheirConnections(t *testing.T) {
	db := open(t, 2)
	claims := idemstore.NewClaims(db)
	options := idemstore.Options{Key: newKey()}
	owned := must[idemstore.Result](t)(claims.Start(background, options)).Claim
	var group sync.WaitGroup
	var replayed int32
	options.Wait = time.Hour
	for i := 0; i < 100; i++ {
		group.Add(1)
		go func() {
			defer group.Done()
			result, err := claims.Start(background, options)
			if err != nil {
				t.Error(err)
			} else if result.Outcome == idemstore.Replay {
				atomic.AddInt32(&replayed, 1)
			}
		}()
	}
	eventually(func() bool { return db.Stats().WaitCount >= 50 })
	for i := 0; i < 20; i++ {
		must[time.Time](t)(claims.Extend(background, owned, time.Minute))
	}
	must[bool](t)(claims.Complete(background, owned, idemstore.Response{Status: 200}))
	group.Wait()
	if replayed != 100 {
		t.Fatalf("%d of 100 got the response", replayed)
	}
}

// A context that ends, ends the wait on the server, too.
func TestCancelledWait(t *testing.T) {
	db := open(t, 0)
	claims := idemstore.NewClaims(db)
	options := idemstore.Options{Key: newKey(), Wait: time.Hour}
	must[idemstore.Result](t)(claims.Start(background, idemstore.Options{Key: options.Key}))
	waiting := func() int {
		return count(t, db, `SELECT count(*) FROM pg_stat_activity WHERE state = 'active' AND query LIKE '%idemstore.wait(%' AND pid <> pg_backend_pid()`)
	}
	ctx, cancel := context.WithCancel(background)
	ended := make(chan error)
	go func() {
		_, err := claims.Start(ctx, options)
		ended <- err
	}()
	eventually(func() bool { return waiting() == 1 })
	cancel()
	if err := <-ended; err == nil {
		t.Fatal("the wait ended without an error")
	}
	eventually(func() bool { return waiting() == 0 })
}

func TestStore(t *testing.T) {
	db := open(t, 0)
	var store interface {
		Get(context.Context, string) ([]byte, bool, error)
		SetNX(context.Context, string, []byte) (bool, error)
	} = idemstore.NewStore(db, time.Hour)
	key := newKey()
	if _, found, err := store.Get(background, key); found || err != nil {
		t.Fatal("found what is not there", err)
	}
	if !must[bool](t)(store.SetNX(background, key, nil)) || must[bool](t)(store.SetNX(background, key, []byte("other"))) {
		t.Fatal("SetNX does not say who was first")
	}
	if value, found, err := store.Get(background, key); !found || len(value) != 0 || err != nil {
		t.Fatal("an empty value is no hit", err)
	}
	if must[bool](t)(idemstore.NewStore(db, 0).Set(background, key, []byte(`a\b`))) {
		t.Fatal("Set says that nothing was there")
	}
	if value, _, _ := store.Get(background, key); string(value) != `a\b` {
		t.Fatalf("%q", value)
	}
	store = idemstore.NoOpStore{}
	if _, found, _ := store.Get(background, key); found || !must[bool](t)(store.SetNX(background, key, nil)) {
		t.Fatal("NoOpStore stores")
	}
}

func TestFingerprint(t *testing.T) {
	claims := idemstore.NewClaims(open(t, 0))
	a := must[string](t)(claims.Fingerprint(background, []byte(`{"b": 1.0, "a": "\\", "at": 1}`), "at"))
	b := must[string](t)(claims.Fingerprint(background, []byte(`{"a":"\\","b":1}`)))
	if a != b {
		t.Fatalf("%s and %s", a, b)
	}
}
