package test

import (
	"context"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	idemstore "idemstore.example/idemstore"
)

func send(t *testing.T, server *httptest.Server, path, key, body string) (int, http.Header, string) {
	request, _ := http.NewRequest("POST", server.URL+path, strings.NewReader(body))
	if key != "" {
		request.Header.Set("Idempotency-Key", key)
	}
	response, err := server.Client().Do(request)
	if err != nil {
		t.Error(err)
		return 0, nil, ""
	}
	defer response.Body.Close()
	text, _ := io.ReadAll(response.Body)
	return response.StatusCode, response.Header, string(text)
}

func TestIdempotencyMiddleware(t *testing.T) {
	db := open(t, 10)
	release := make(chan struct{})
	var outcomes, running int32
	handler := http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		body, _ := io.ReadAll(r.Body)
		tx := idemstore.Tx(r.Context())
		if tx == nil {
			w.Write([]byte("no transaction"))
			return
		}
		tx.Exec(`INSERT INTO charges VALUES ($1)`, r.Header.Get("Idempotency-Key"))
		switch r.URL.Path {
		case "/fails":
			w.WriteHeader(503)
		case "/slow":
			atomic.AddInt32(&running, 1)
			<-release
		}
		w.Header().Set("Set-Cookie", "a=b")
		w.Header().Set("X-Kept", "yes")
		w.WriteHeader(201)
		w.Write(append([]byte("\x00\\"), body...))
	})
	middleware := idemstore.Idempotency{DB: db, Required: true, MaxBody: 100,
		Scope:     func(r *http.Request) string { return r.URL.Query().Get("tenant") },
		OnOutcome: func(*http.Request, idemstore.Result) { atomic.AddInt32(&outcomes, 1) }}
	server := httptest.NewServer(middleware.Handler(handler))
	defer server.Close()
	key := newKey()
	charges := func() int { return count(t, db, `SELECT count(*) FROM charges WHERE payment = $1`, key) }

	for i := 0; i < 2; i++ {
		status, header, body := send(t, server, "/pay?tenant=a", key, "x")
		if status != 201 || body != "\x00\\x" || header.Get("X-Kept") != "yes" || (header.Get("Idempotent-Replayed") == "true") != (i == 1) ||
			(header.Get("Set-Cookie") == "") != (i == 1) {
			t.Fatalf("call %d: %d %v %q", i, status, header, body)
		}
	}
	if n := charges(); n != 1 {
		t.Fatalf("%d charges", n)
	}
	if status, _, _ := send(t, server, "/pay?tenant=a", key, "y"); status != 422 {
		t.Fatalf("another body: %d", status)
	}
	if status, _, _ := send(t, server, "/pay?tenant=b", key, "y"); status != 201 || charges() != 2 {
		t.Fatalf("another tenant: %d", status)
	}
	if status, _, _ := send(t, server, "/pay", "", ""); status != 400 {
		t.Fatalf("without a key: %d", status)
	}
	for _, malformed := range []string{strings.Repeat("k", 256), `"`, "a,b", `"a" b`} {
		if status, _, _ := send(t, server, "/pay", malformed, ""); status != 400 {
			t.Fatalf("the key %s: %d", malformed, status)
		}
	}
	if _, header, _ := send(t, server, "/pay?tenant=a", `"`+key+`"`, "x"); header.Get("Idempotent-Replayed") != "true" {
		t.Fatal("a key in quotes is another")
	}
	if status, _, _ := send(t, server, "/pay", newKey(), strings.Repeat("x", 101)); status != 413 {
		t.Fatalf("a large body: %d", status)
	}
	// What is not stored is rolled back.
	key = newKey()
	if status, _, _ := send(t, server, "/fails", key, ""); status != 503 || charges() != 0 {
		t.Fatalf("a failure: %d, %d charges", status, charges())
	}
	// A second request while the first runs; a client that hangs up.
	key = newKey()
	ctx, hangUp := context.WithCancel(background)
	request, _ := http.NewRequestWithContext(ctx, "POST", server.URL+"/slow", nil)
	request.Header.Set("Idempotency-Key", key)
	first := make(chan struct{})
	go func() {
		defer close(first)
		if response, err := server.Client().Do(request); err == nil {
			response.Body.Close()
		}
	}()
	eventually(func() bool { return atomic.LoadInt32(&running) == 1 })
	if status, header, _ := send(t, server, "/slow", key, ""); status != 409 || header.Get("Retry-After") == "" {
		t.Fatalf("meanwhile: %d %v", status, header)
	}
	hangUp()
	<-first
	close(release)
	eventually(func() bool { return charges() == 1 })
	if status, header, _ := send(t, server, "/slow", key, ""); status != 201 || header.Get("Idempotent-Replayed") != "true" {
		t.Fatalf("after the client had hung up: %d", status)
	}
	if outcomes == 0 {
		t.Fatal("no outcome was told")
	}
}

func TestRateLimitMiddleware(t *testing.T) {
	db := open(t, 0)
	name := newKey()
	limit := idemstore.RateLimit{Limits: idemstore.NewLimits(db), Resource: func(*http.Request) string { return name },
		Limit: &idemstore.Limit{Quota: int64p(1), Per: time.Hour}, Timeout: time.Hour}
	server := httptest.NewServer(limit.Handler(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {})))
	defer server.Close()
	if status, _, _ := send(t, server, "/", "", ""); status != 200 {
		t.Fatal(status)
	}
	if status, header, _ := send(t, server, "/", "", ""); status != 429 || header.Get("Retry-After") != "3600" {
		t.Fatal(status, header)
	}
	// Without a database: 503, or through.
	gone := open(t, 1)
	gone.Close()
	limit.Limits = idemstore.NewLimits(gone)
	if status, _, _ := send(t, server, "/", "", ""); status != 503 {
		t.Fatal(status)
	}
	limit.Open = true
	if status, _, _ := send(t, server, "/", "", ""); status != 200 {
		t.Fatal(status)
	}
}
