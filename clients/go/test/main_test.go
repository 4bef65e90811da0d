// Package test drives the client against a server: PGHOST and its like lead to it,
// and IDEMSTORE_DRIVER says through which driver.
package test

import (
	"context"
	"database/sql"
	"fmt"
	"os"
	"testing"
	"time"

	_ "github.com/jackc/pgx/v4/stdlib"
	_ "github.com/lib/pq"
	"go.uber.org/goleak"
)

var background = context.Background()

func TestMain(m *testing.M) {
	if work := os.Getenv("IDEMSTORE_CHILD"); work != "" {
		child(work)
		return
	}
	db := mustOpen(0)
	_, err := db.Exec(`CREATE EXTENSION IF NOT EXISTS idemstore;
CREATE TABLE IF NOT EXISTS charges (payment text NOT NULL);
TRUNCATE charges`)
	if err != nil {
		panic(err)
	}
	db.Close()
	goleak.VerifyTestMain(m)
}

func driver() string {
	if name := os.Getenv("IDEMSTORE_DRIVER"); name != "" {
		return name
	}
	return "postgres"
}

func mustOpen(most int) *sql.DB {
	db, err := sql.Open(driver(), fmt.Sprintf("host=%s port=%s user=%s dbname=%s sslmode=disable",
		os.Getenv("PGHOST"), os.Getenv("PGPORT"), os.Getenv("PGUSER"), os.Getenv("PGDATABASE")))
	if err != nil {
		panic(err)
	}
	db.SetMaxOpenConns(most)
	return db
}

// open is a pool of the test's own, of at most so many connections (0: any number).
func open(t *testing.T, most int) *sql.DB {
	db := mustOpen(most)
	t.Cleanup(func() {
		if used := db.Stats().InUse; used > 0 {
			t.Errorf("%d connections are still in use", used)
		}
		db.Close()
	})
	return db
}

var nkeys int

// newKey is one that no test has used.
func newKey() string {
	nkeys++
	return fmt.Sprintf("key-%d-%d", time.Now().UnixNano(), nkeys)
}

func must[T any](t *testing.T) func(T, error) T {
	return func(value T, err error) T {
		t.Helper()
		if err != nil {
			t.Fatal(err)
		}
		return value
	}
}

func count(t *testing.T, db *sql.DB, query string, args ...any) (n int) {
	t.Helper()
	if err := db.QueryRow(query, args...).Scan(&n); err != nil {
		t.Fatal(err)
	}
	return n
}

// eventually waits until something holds: there is no limit but the test's own.
func eventually(holds func() bool) {
	for !holds() {
		time.Sleep(5 * time.Millisecond)
	}
}
