package test

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	idemstore "idemstore.example/idemstore"
)

func each(n int, do func(i int)) {
	var group sync.WaitGroup
	for i := 0; i < n; i++ {
		group.Add(1)
		go func(i int) {
			defer group.Done()
			do(i)
		}(i)
	}
	group.Wait()
}

func int64p(n int64) *int64 { return &n }

func TestLimits(t *testing.T) {
	db := open(t, 10)
	limits := idemstore.NewLimits(db)
	resource := newKey()
	limit := &idemstore.Limit{Quota: int64p(5), Per: time.Hour}
	var allowed int32
	each(40, func(int) {
		if ok, err := limits.Acquire(background, resource, limit); err != nil {
			t.Error(err)
		} else if ok {
			atomic.AddInt32(&allowed, 1)
		}
	})
	if allowed != 5 {
		t.Fatalf("%d of 5 were let in", allowed)
	}
	verdict := must[idemstore.Verdict](t)(limits.Consume(background, resource, limit))
	if verdict.Allowed || verdict.Quota != 5 || verdict.Reason != "quota" || verdict.RetryAfter <= 0 || verdict.RetryAfterSeconds() < 3599 {
		t.Fatalf("%+v", verdict)
	}
	never := must[idemstore.Verdict](t)(limits.Consume(background, resource, &idemstore.Limit{Cost: 6, Quota: int64p(5), Per: time.Hour}))
	if never.RetryAfter != -1 || never.Reason != "cost_exceeds_quota" {
		t.Fatalf("%+v", never)
	}
	if !must[bool](t)(limits.Refund(background, resource, 1, verdict.DecidedAt, limit)) || !must[bool](t)(limits.CanProceed(background, resource, limit)) {
		t.Fatal("nothing was given back")
	}
	if !must[bool](t)(limits.Reset(background, resource)) {
		t.Fatal("not reset")
	}
	must[bool](t)(limits.SetCooldown(background, resource, time.Now().Add(time.Hour)))
	if until := must[time.Time](t)(limits.Cooldown(background, resource)); time.Until(until) < time.Minute {
		t.Fatal(until)
	}
	if !must[bool](t)(limits.ClearCooldown(background, resource)) || !must[time.Time](t)(limits.Cooldown(background, resource)).IsZero() {
		t.Fatal("a cooldown is still there")
	}
}

// 10,000 calls that gather, a tenth of them wrong in one way or another: each gets
// its own answer.
func TestGathered(t *testing.T) {
	db := open(t, 4)
	limits := idemstore.NewLimits(db)
	prefix := newKey()
	if _, err := db.Exec(`SELECT idemstore.set_rate_limit($1, 1, '1 hour')`, prefix+"/even/*"); err != nil {
		t.Fatal(err)
	}
	if _, err := db.Exec(`SELECT idemstore.set_rate_limit($1, 0, '1 hour')`, prefix+"/odd/*"); err != nil {
		t.Fatal(err)
	}
	var wrong int32
	each(10000, func(i int) {
		resource, limit := fmt.Sprintf("%s/%s/%d", prefix, []string{"even", "odd"}[i%2], i), (*idemstore.Limit)(nil)
		var want error
		switch {
		case i%20 == 10:
			resource, want = prefix+"/unknown", idemstore.ErrNoLimit
		case i%20 == 11:
			limit = &idemstore.Limit{Cost: -1}
			want = errors.New("22023")
		}
		allowed, err := limits.Acquire(background, resource, limit)
		switch {
		case want == idemstore.ErrNoLimit && errors.Is(err, want):
			atomic.AddInt32(&wrong, 1)
		case want != nil && want != idemstore.ErrNoLimit && err != nil && !errors.Is(err, idemstore.ErrNoLimit):
			atomic.AddInt32(&wrong, 1)
		case want != nil || err != nil:
			t.Errorf("call %d: %v, not %v", i, err, want)
		case allowed != (i%2 == 0):
			t.Errorf("call %d: %t", i, allowed)
		}
	})
	if wrong != 1000 {
		t.Fatalf("%d errors", wrong)
	}
}

// A caller who has gone takes nothing, and does not hold up the others.
func TestGatheredCancel(t *testing.T) {
	db := open(t, 4)
	limits := idemstore.NewLimits(db)
	resource := newKey()
	limit := &idemstore.Limit{Quota: int64p(1000000), Per: time.Hour}
	gone, cancel := context.WithCancel(background)
	cancel()
	each(500, func(i int) {
		ctx := background
		if i%2 == 0 {
			ctx = gone
		}
		_, err := limits.Acquire(ctx, resource, limit)
		if i%2 == 1 && err != nil {
			t.Error(err)
		}
	})
	eventually(func() bool { return db.Stats().InUse == 0 })
	verdict := must[idemstore.Verdict](t)(limits.Consume(background, resource, &idemstore.Limit{Peek: true, Quota: limit.Quota, Per: limit.Per}))
	if used := verdict.Quota - verdict.Remaining; used != 250 {
		t.Fatalf("%d were taken by 250 callers", used)
	}
}

func TestAcquireAll(t *testing.T) {
	db := open(t, 0)
	limits := idemstore.NewLimits(db)
	a, b := newKey(), newKey()
	for _, name := range []string{a, b} {
		if _, err := db.Exec(`SELECT idemstore.set_rate_limit($1, 3, '1 hour')`, name); err != nil {
			t.Fatal(err)
		}
	}
	if !must[bool](t)(limits.AcquireAll(background, []string{a, b}, []int64{1, 3})) ||
		must[bool](t)(limits.AcquireAll(background, []string{a, b}, nil)) {
		t.Fatal("all or nothing is neither")
	}
	status, err := limits.Status(background, a)
	if err != nil || len(status) != 1 || status[0].Remaining != 2 {
		t.Fatalf("%+v %v", status, err)
	}
}

func TestCache(t *testing.T) {
	db := open(t, 10)
	cache := idemstore.NewCache(db)
	key, tag := newKey(), newKey()
	if entry, err := cache.Get(background, key); entry.Found() || err != nil {
		t.Fatal(entry, err)
	}
	must[bool](t)(cache.Set(background, key, []string{}, &idemstore.Set{Tags: []string{tag, `a"\,{}`}}))
	must[bool](t)(cache.Set(background, key+"/null", nil, nil))
	must[bool](t)(cache.SetBytes(background, key+"/bytes", []byte{0, '\\'}, &idemstore.Set{TTL: time.Hour}))
	must[bool](t)(cache.Set(background, key+"/gone", 1, &idemstore.Set{TTL: -1}))
	entries := must[[]idemstore.Entry](t)(cache.GetMany(background, key, key+"/null", key+"/bytes", key+"/gone"))
	if string(entries[0].Value) != "[]" || string(entries[1].Value) != "null" || string(entries[2].Bytes) != "\x00\\" || entries[3].Found() {
		t.Fatalf("%+v", entries)
	}
	if n := must[int64](t)(cache.Invalidate(background, tag, "no such")); n != 1 {
		t.Fatalf("%d invalidated", n)
	}
	if n := must[int64](t)(cache.Increment(background, key+"/n", 5, time.Hour)); n != 5 {
		t.Fatal(n)
	}
	if must[bool](t)(cache.Delete(background, key)) || must[int64](t)(cache.Clear(background, key)) != 3 {
		t.Fatal("the counts are wrong")
	}

	var computed int32
	each(50, func(int) {
		value, err := cache.GetOrCompute(background, key, idemstore.Fetch{Wait: time.Hour}, idemstore.Set{TTL: time.Hour},
			func(context.Context) (any, error) {
				atomic.AddInt32(&computed, 1)
				time.Sleep(20 * time.Millisecond)
				return map[string]int{"a": 1}, nil
			})
		if err != nil || string(value) != `{"a":1}` {
			t.Error(string(value), err)
		}
	})
	if computed != 1 {
		t.Fatalf("computed %d times", computed)
	}
	// What was invalidated meanwhile is not stored.
	fetched := must[idemstore.Fetched](t)(cache.Fetch(background, key+"/f", idemstore.Fetch{}))
	must[int64](t)(cache.Invalidate(background, tag))
	if fetched.Outcome != "compute" || must[bool](t)(cache.Set(background, key+"/f", 1, &idemstore.Set{Tags: []string{tag}, Fence: fetched.Fence})) {
		t.Fatal("a value older than an invalidation was stored")
	}
}

func TestDedupe(t *testing.T) {
	db := open(t, 3)
	dedupe := idemstore.NewDedupe(db)
	hash := newKey()
	// A job may end, and the next begin, before a joiner asks for the first.
	var owners, answered, absent int32
	each(40, func(int) {
		job, err := dedupe.RegisterOrJoin(background, hash, time.Hour)
		if err != nil {
			t.Error(err)
			return
		}
		if job.IsOwner {
			atomic.AddInt32(&owners, 1)
			time.Sleep(20 * time.Millisecond)
			if ok, err := dedupe.Complete(background, job, json.RawMessage(`{"a": 1}`)); !ok {
				t.Error(err)
			}
			return
		}
		done, err := dedupe.WaitFor(background, job, time.Hour)
		switch {
		case err == nil && done.Outcome == "completed" && string(done.Value) == `{"a": 1}`:
			atomic.AddInt32(&answered, 1)
		case err == nil && done.Outcome == "absent":
			atomic.AddInt32(&absent, 1)
		default:
			t.Errorf("%+v %v", done, err)
		}
	})
	if owners == 0 || owners+answered+absent != 40 || absent > 0 && owners == 1 {
		t.Fatalf("%d owners, %d answered, %d absent", owners, answered, absent)
	}
	job := must[idemstore.Job](t)(dedupe.RegisterOrJoin(background, hash, time.Hour))
	if !must[bool](t)(dedupe.IsInProgress(background, hash)) {
		t.Fatal("not in progress")
	}
	if done := must[idemstore.Done](t)(dedupe.WaitFor(background, job, 20*time.Millisecond)); done.Outcome != "timeout" {
		t.Fatalf("%+v", done)
	}
	must[bool](t)(dedupe.Fail(background, job, "no"))
	if done := must[idemstore.Done](t)(dedupe.WaitFor(background, job, time.Hour)); done.Outcome != "failed" || string(done.Error) != `"no"` {
		t.Fatalf("%+v", done)
	}
}
