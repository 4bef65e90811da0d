package idemstore

import (
	"context"
	"database/sql"
	"strconv"
	"strings"
	"time"
)

// Limits are rate limits and cooldowns. Calls of Acquire and Consume that come
// while others are out gather into one statement; each gets its own answer.
type Limits struct {
	on      Querier
	acquire *gatherer[limitCall, bool]
	consume *gatherer[limitCall, Verdict]
}

// Limit is what may be said of a call beside the resource; nil for the configured
// limit at a cost of one.
type Limit struct {
	Cost     int64 // 0 is 1; Peek for none
	Peek     bool  // decide and take nothing
	Priority string
	Quota    *int64        // of this call, with Per, in place of the configured limit
	Per      time.Duration // at most 366 days
	Origin   string        // whose cooldown counts, too
}

// Verdict is what Consume decided, and why.
type Verdict struct {
	Allowed    bool
	Quota      int64
	Remaining  int64
	ResetAt    time.Time     // when the whole quota is back
	RetryAfter time.Duration // 0 when allowed; -1 when the cost can never be had
	Policy     string
	Reason     string // ok, shadow, quota, quota_zero, cost_exceeds_quota, cooldown or paused
	DecidedAt  time.Time
}

// RetryAfterSeconds is what the header Retry-After takes.
func (v Verdict) RetryAfterSeconds() int64 {
	return int64((v.RetryAfter + time.Second - 1) / time.Second)
}

// limitCall is a call with its defaults filled in. Those of one group go together.
type limitCall struct {
	resource, priority string
	cost               int64
	group              limitGroup
}

type limitGroup struct {
	hasQuota bool
	quota    int64
	per      time.Duration
	origin   string
}

// NewLimits works on db; its calls see and change the same limits whatever
// transaction is open elsewhere.
func NewLimits(on Querier) *Limits {
	l := &Limits{on: on}
	l.acquire = &gatherer[limitCall, bool]{send: acquireMany(on), same: sameLimit, alone: nothingDone}
	l.consume = &gatherer[limitCall, Verdict]{send: consumeMany(on), same: sameLimit, alone: nothingDone}
	return l
}

func newLimitCall(resource string, limit *Limit) limitCall {
	c := limitCall{resource: resource, cost: 1}
	if limit == nil {
		return c
	}
	if limit.Peek {
		c.cost = 0
	} else if limit.Cost != 0 {
		c.cost = limit.Cost
	}
	c.priority = limit.Priority
	c.group = limitGroup{per: limit.Per, origin: limit.Origin}
	if limit.Quota != nil {
		c.group.hasQuota, c.group.quota = true, *limit.Quota
	}
	return c
}

func (g limitGroup) arguments() (quota, per, origin any) {
	if g.hasQuota {
		quota = g.quota
	}
	return quota, secondsOrNull(g.per), orNull(g.origin)
}

// Acquire takes the cost from the resource's limits; false when one has too little
// left, and then nothing is taken. What was taken stays so when a transaction rolls back.
// Errors: ErrNoLimit, and those of arguments.
func (l *Limits) Acquire(ctx context.Context, resource string, limit *Limit) (bool, error) {
	return l.acquire.do(ctx, newLimitCall(resource, limit))
}

// Consume is Acquire with the whole verdict.
func (l *Limits) Consume(ctx context.Context, resource string, limit *Limit) (Verdict, error) {
	return l.consume.do(ctx, newLimitCall(resource, limit))
}

func sameLimit(a, b limitCall) bool { return a.group == b.group }

// The arguments of acquire_many and consume_many.
func manyArguments(calls []limitCall) []any {
	resources, costs, priorities := make([]string, len(calls)), make([]string, len(calls)), make([]string, len(calls))
	anyPriority := false
	for i, c := range calls {
		resources[i] = c.resource
		costs[i] = strconv.FormatInt(c.cost, 10)
		priorities[i] = "NULL"
		if c.priority != "" {
			anyPriority = true
			priorities[i] = quoted(c.priority)
		}
	}
	var ofPriorities any
	if anyPriority {
		ofPriorities = "{" + strings.Join(priorities, ",") + "}"
	}
	quota, per, origin := calls[0].group.arguments()
	return []any{array(resources), "{" + strings.Join(costs, ",") + "}", ofPriorities, quota, per, origin}
}

const manyParameters = `($1::text[], $2::bigint[], $3::text[], $4, make_interval(secs => $5), $6)`

func acquireMany(on Querier) func(context.Context, []limitCall) ([]bool, error) {
	return func(ctx context.Context, calls []limitCall) ([]bool, error) {
		answers := make([]bool, 0, len(calls))
		err := queryEach(ctx, on, `SELECT unnest(idemstore.acquire_many`+manyParameters+`)`, manyArguments(calls),
			func(rows *sql.Rows) error {
				var allowed bool
				err := rows.Scan(&allowed)
				answers = append(answers, allowed)
				return err
			})
		return answers, err
	}
}

func consumeMany(on Querier) func(context.Context, []limitCall) ([]Verdict, error) {
	return func(ctx context.Context, calls []limitCall) ([]Verdict, error) {
		answers := make([]Verdict, 0, len(calls))
		err := queryEach(ctx, on, `SELECT `+verdictColumns+` FROM idemstore.consume_many`+manyParameters, manyArguments(calls),
			func(rows *sql.Rows) error {
				verdict, err := scanVerdict(rows)
				answers = append(answers, verdict)
				return err
			})
		return answers, err
	}
}

const verdictColumns = `allowed, quota, remaining, reset_at, retry_after_ms, policy, reason, decided_at`

func scanVerdict(rows *sql.Rows) (Verdict, error) {
	var v Verdict
	var quota, remaining sql.NullInt64
	var resetAt, decidedAt sql.NullTime
	var retryAfterMs sql.NullFloat64
	var policy, reason sql.NullString
	err := rows.Scan(&v.Allowed, &quota, &remaining, &resetAt, &retryAfterMs, &policy, &reason, &decidedAt)
	v.Quota, v.Remaining = quota.Int64, remaining.Int64
	v.ResetAt, v.DecidedAt = resetAt.Time, decidedAt.Time
	v.Policy, v.Reason = policy.String, reason.String
	v.RetryAfter = -1
	if retryAfterMs.Valid {
		v.RetryAfter = milliseconds(retryAfterMs)
	}
	return v, err
}

// AcquireAll takes one from each resource, or costs[i], or nothing at all. At most
// 64 resources.
func (l *Limits) AcquireAll(ctx context.Context, resources []string, costs []int64) (bool, error) {
	var ofCosts any
	if costs != nil {
		texts := make([]string, len(costs))
		for i, cost := range costs {
			texts[i] = strconv.FormatInt(cost, 10)
		}
		ofCosts = "{" + strings.Join(texts, ",") + "}"
	}
	return queryValue[bool](ctx, l.on, `SELECT idemstore.acquire_all($1::text[], $2::bigint[])`, array(resources), ofCosts)
}

// Refund gives back what was taken at takenAt, Verdict.DecidedAt, and not used; true
// when something was given.
func (l *Limits) Refund(ctx context.Context, resource string, cost int64, takenAt time.Time, limit *Limit) (bool, error) {
	c := newLimitCall(resource, limit)
	quota, per, _ := c.group.arguments()
	return queryValue[bool](ctx, l.on, `SELECT idemstore.refund($1, $2, $3, $4, $5, make_interval(secs => $6))`,
		resource, cost, takenAt, orNull(c.priority), quota, per)
}

// CanProceed is Acquire that takes nothing.
func (l *Limits) CanProceed(ctx context.Context, resource string, limit *Limit) (bool, error) {
	c := newLimitCall(resource, limit)
	quota, per, _ := c.group.arguments()
	return queryValue[bool](ctx, l.on, `SELECT idemstore.can_proceed($1, $2, $3, $4, make_interval(secs => $5))`,
		resource, c.cost, orNull(c.priority), quota, per)
}

// Status has a verdict for each policy of the resource, the tightest first.
func (l *Limits) Status(ctx context.Context, resource string) ([]Verdict, error) {
	var verdicts []Verdict
	err := queryEach(ctx, l.on, `SELECT `+verdictColumns+` FROM idemstore.rate_limit_status($1)`, []any{resource},
		func(rows *sql.Rows) error {
			verdict, err := scanVerdict(rows)
			verdicts = append(verdicts, verdict)
			return err
		})
	return verdicts, err
}

// Reset drops what was taken from the resource; true when there was something.
func (l *Limits) Reset(ctx context.Context, resource string) (bool, error) {
	return queryValue[bool](ctx, l.on, `SELECT idemstore.rate_limit_reset($1)`, resource)
}

// SetCooldown denies every call with this origin until then.
func (l *Limits) SetCooldown(ctx context.Context, origin string, until time.Time) (bool, error) {
	return queryValue[bool](ctx, l.on, `SELECT idemstore.set_cooldown($1, $2)`, origin, until)
}

// Cooldown is when the origin's cooldown ends; the zero time when it has none.
func (l *Limits) Cooldown(ctx context.Context, origin string) (time.Time, error) {
	until, err := queryValue[sql.NullTime](ctx, l.on, `SELECT idemstore.get_cooldown($1)`, origin)
	return until.Time, err
}

// ClearCooldown ends the origin's cooldown; true when it had one.
func (l *Limits) ClearCooldown(ctx context.Context, origin string) (bool, error) {
	return queryValue[bool](ctx, l.on, `SELECT idemstore.clear_cooldown($1)`, origin)
}
