package idemstore

import (
	"bytes"
	"context"
	"crypto/sha256"
	"database/sql"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"math"
	"net/http"
	"regexp"
	"strconv"
	"time"
)

// Idempotency is middleware for net/http by the IETF draft of the Idempotency-Key
// header: the handler runs once a key, in a transaction that its response is stored
// in, and a retry is answered by that response. The handler takes the transaction
// from the request's context by Tx, and its answer is sent after the commit.
type Idempotency struct {
	DB *sql.DB
	// Scope is a tenant's own namespace: without it, one's key is everybody's.
	Scope func(*http.Request) string
	// Methods that take a key; POST and PATCH when nil.
	Methods []string
	// Required refuses a request without a key: 400.
	Required bool
	// StoreStatus says which statuses are stored; all others roll back what the
	// handler did, and a retry runs it again. When nil: those below 500.
	StoreStatus func(status int) bool
	// OmitHeaders are not stored beside Set-Cookie and Date.
	OmitHeaders []string
	// MaxBody is how long a request's body may be, 1 MB when 0: it is part of the
	// fingerprint. A longer one is 413.
	MaxBody int64
	TTL     time.Duration
	Wait    time.Duration // for an owner; its end is a 409
	// OnOutcome is told each outcome, for metrics and logs.
	OnOutcome func(*http.Request, Result)
}

type txKey struct{}

// Tx is the transaction that the request's claim and response are in; nil for a
// request that has none.
func Tx(ctx context.Context) *sql.Tx {
	tx, _ := ctx.Value(txKey{}).(*sql.Tx)
	return tx
}

// errNotStored rolls back a response that is sent and not stored.
var errNotStored = errors.New("not stored")

// Handler wraps next.
func (i *Idempotency) Handler(next http.Handler) http.Handler {
	claims := NewClaims(i.DB)
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		header := r.Header.Values("Idempotency-Key")
		if !i.takesKey(r.Method) || len(header) == 0 && !i.Required {
			next.ServeHTTP(w, r)
			return
		}
		if len(header) == 0 {
			problem(w, http.StatusBadRequest, "the header Idempotency-Key is missing")
			return
		}
		key := keyIn(header[0])
		if key == "" {
			problem(w, http.StatusBadRequest, "the Idempotency-Key is not a string of 1 to 255 characters")
			return
		}
		body, ok := i.readBody(w, r)
		if !ok {
			return
		}
		options := Options{Key: key, Fingerprint: requestFingerprint(r, body), TTL: i.TTL, Wait: i.Wait}
		if i.Scope != nil {
			options.Scope = i.Scope(r)
		}
		i.serve(w, r, claims, options, next)
	})
}

var (
	quotedKey = regexp.MustCompile(`^"((?:[ !#-\[\]-~]|\\["\\])+)"$`)
	bareKey   = regexp.MustCompile(`^[!#-+\--~]+$`)
	escaped   = regexp.MustCompile(`\\(.)`)
)

// keyIn reads a string as RFC 8941 writes it, in quotes, or the same without
// quotes, as most clients send it; empty where it is neither.
func keyIn(header string) string {
	key := bareKey.FindString(header)
	if quoted := quotedKey.FindStringSubmatch(header); quoted != nil {
		key = escaped.ReplaceAllString(quoted[1], "$1")
	}
	if len(key) > 255 {
		return ""
	}
	return key
}

func (i *Idempotency) takesKey(method string) bool {
	if i.Methods == nil {
		return method == http.MethodPost || method == http.MethodPatch
	}
	for _, one := range i.Methods {
		if one == method {
			return true
		}
	}
	return false
}

// readBody reads all of it and puts it back for the handler.
func (i *Idempotency) readBody(w http.ResponseWriter, r *http.Request) ([]byte, bool) {
	most := i.MaxBody
	if most == 0 {
		most = 1 << 20
	}
	body, err := io.ReadAll(io.LimitReader(r.Body, most+1))
	if err != nil {
		problem(w, http.StatusBadRequest, "the body could not be read")
		return nil, false
	}
	if int64(len(body)) > most {
		problem(w, http.StatusRequestEntityTooLarge, "the body is too large for an idempotent request")
		return nil, false
	}
	r.Body = io.NopCloser(bytes.NewReader(body))
	return body, true
}

func requestFingerprint(r *http.Request, body []byte) string {
	hash := sha256.New()
	fmt.Fprintf(hash, "%s %s\n%s\n", r.Method, r.URL.RequestURI(), r.Header.Get("Content-Type"))
	hash.Write(body)
	return hex.EncodeToString(hash.Sum(nil))
}

func (i *Idempotency) serve(w http.ResponseWriter, r *http.Request, claims *Claims, options Options, next http.Handler) {
	var answered recorder
	// A client that hangs up does not end work that may commit.
	ctx := detached{r.Context()}
	result, err := claims.Run(ctx, i.DB, options, func(_ context.Context, tx *sql.Tx, _ Claim) (Response, error) {
		answered = recorder{header: http.Header{}}
		next.ServeHTTP(&answered, r.WithContext(context.WithValue(r.Context(), txKey{}, tx)))
		if !i.stores(answered.status()) {
			return Response{}, errNotStored
		}
		return Response{Status: answered.status(), Header: i.kept(answered.header), Body: answered.body.Bytes()}, nil
	})
	if errors.Is(err, errNotStored) {
		err = nil
	}
	if err != nil {
		problem(w, http.StatusInternalServerError, "the request could not be completed; it is safe to send it again")
		return
	}
	if i.OnOutcome != nil {
		i.OnOutcome(r, result)
	}
	if result.Outcome == Started {
		answered.send(w)
		return
	}
	answer(w, result)
}

func (i *Idempotency) stores(status int) bool {
	if i.StoreStatus != nil {
		return i.StoreStatus(status)
	}
	return status < 500
}

func (i *Idempotency) kept(header http.Header) http.Header {
	kept := header.Clone()
	for _, name := range append([]string{"Set-Cookie", "Date"}, i.OmitHeaders...) {
		kept.Del(name)
	}
	return kept
}

// answer is that of every outcome but Started.
func answer(w http.ResponseWriter, result Result) {
	switch result.Outcome {
	case Replay, Failed:
		if result.Response == nil || result.Response.Status == 0 {
			problem(w, http.StatusInternalServerError, "the request with this Idempotency-Key failed")
			return
		}
		for name, values := range result.Response.Header {
			w.Header()[http.CanonicalHeaderKey(name)] = values
		}
		w.Header().Set("Idempotent-Replayed", "true")
		w.WriteHeader(result.Response.Status)
		w.Write(result.Response.Body)
	case InProgress, Abandoned:
		w.Header().Set("Retry-After", strconv.Itoa(int(math.Max(1, math.Ceil(result.RetryAfter.Seconds())))))
		problem(w, http.StatusConflict, "a request with this Idempotency-Key is being processed")
	default:
		problem(w, http.StatusUnprocessableEntity, "this Idempotency-Key was used for another request")
	}
}

func problem(w http.ResponseWriter, status int, detail string) {
	body, _ := json.Marshal(map[string]any{"title": http.StatusText(status), "status": status, "detail": detail})
	w.Header().Set("Content-Type", "application/problem+json")
	w.WriteHeader(status)
	w.Write(body)
}

// recorder keeps a handler's answer until it is known what becomes of it.
type recorder struct {
	header http.Header
	code   int
	body   bytes.Buffer
}

func (a *recorder) Header() http.Header { return a.header }

func (a *recorder) WriteHeader(status int) {
	if a.code == 0 {
		a.code = status
	}
}

func (a *recorder) Write(part []byte) (int, error) {
	a.WriteHeader(http.StatusOK)
	return a.body.Write(part)
}

func (a *recorder) status() int {
	if a.code == 0 {
		return http.StatusOK
	}
	return a.code
}

func (a *recorder) send(w http.ResponseWriter) {
	for name, values := range a.header {
		w.Header()[name] = values
	}
	w.WriteHeader(a.status())
	w.Write(a.body.Bytes())
}

// detached has a context's values and not its end.
type detached struct{ context.Context }

func (detached) Deadline() (time.Time, bool) { return time.Time{}, false }
func (detached) Done() <-chan struct{}       { return nil }
func (detached) Err() error                  { return nil }

// RateLimit is middleware for net/http that answers 429 to what a limit denies.
type RateLimit struct {
	Limits *Limits
	// Resource is what a request counts on, such as "ip/" and its address.
	Resource func(*http.Request) string
	Limit    *Limit // nil for the configured one
	// Timeout is how long a verdict may take; 1 s when 0.
	Timeout time.Duration
	// Open lets requests through when there is no verdict, else they are 503.
	Open      bool
	OnOutcome func(*http.Request, Verdict, error)
}

// Handler wraps next.
func (l *RateLimit) Handler(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		timeout := l.Timeout
		if timeout == 0 {
			timeout = time.Second
		}
		ctx, cancel := context.WithTimeout(r.Context(), timeout)
		defer cancel()
		verdict, err := l.Limits.Consume(ctx, l.Resource(r), l.Limit)
		if l.OnOutcome != nil {
			l.OnOutcome(r, verdict, err)
		}
		switch {
		case err != nil && !l.Open:
			problem(w, http.StatusServiceUnavailable, "the rate limit could not be checked")
		case err == nil && !verdict.Allowed:
			if verdict.RetryAfter > 0 {
				w.Header().Set("Retry-After", strconv.FormatInt(verdict.RetryAfterSeconds(), 10))
			}
			problem(w, http.StatusTooManyRequests, "there were too many requests")
		default:
			next.ServeHTTP(w, r)
		}
	})
}
