package test

import (
	"bufio"
	"context"
	"database/sql"
	"fmt"
	"os"
	"os/exec"
	"sync"
	"testing"
	"time"

	idemstore "idemstore.example/idemstore"
)

// child is what a process does that is to be killed: claim, say so, and hang.
func child(key string) {
	db := mustOpen(0)
	claims := idemstore.NewClaims(db)
	hang := func() { select {} }
	if os.Getenv("IDEMSTORE_OUTSIDE") != "" {
		result, err := claims.Start(background, idemstore.Options{Key: key, Lease: 300 * time.Millisecond})
		fmt.Println(result.Outcome, err)
		hang()
	}
	claims.Run(background, db, idemstore.Options{Key: key}, func(ctx context.Context, tx *sql.Tx, claim idemstore.Claim) (idemstore.Response, error) {
		_, err := charge(ctx, tx, claim)
		fmt.Println(idemstore.Started, err)
		hang()
		return idemstore.Response{}, nil
	})
}

// A process that is killed between claim and complete is replaced, and charges once.
func TestKilledOwner(t *testing.T) {
	db := open(t, 0)
	claims := idemstore.NewClaims(db)
	for _, outside := range []string{"", "yes"} {
		key := newKey()
		process := exec.Command(os.Args[0])
		process.Env = append(os.Environ(), "IDEMSTORE_CHILD="+key, "IDEMSTORE_OUTSIDE="+outside)
		output, _ := process.StdoutPipe()
		if err := process.Start(); err != nil {
			t.Fatal(err)
		}
		line, _ := bufio.NewReader(output).ReadString('\n')
		if line != "started <nil>\n" {
			t.Fatalf("the process says %q", line)
		}
		process.Process.Kill()
		process.Wait()
		result := must[idemstore.Result](t)(claims.Run(background, db, idemstore.Options{Key: key, Wait: time.Hour}, charge))
		if result.Outcome != idemstore.Started || count(t, db, `SELECT count(*) FROM charges WHERE payment = $1`, key) != 1 {
			t.Fatalf("outside %q: %+v", outside, result)
		}
	}
}

// The server crashes and comes back under load: whoever retries is charged once.
func TestServerCrashes(t *testing.T) {
	data := os.Getenv("PGDATA")
	if data == "" {
		t.Fatal("PGDATA must lead to the server")
	}
	db := open(t, 8)
	claims := idemstore.NewClaims(db)
	var group sync.WaitGroup
	keys := make([]string, 200)
	for i := range keys {
		keys[i] = newKey()
	}
	each := func(key string) {
		defer group.Done()
		for {
			result, err := claims.Run(background, db, idemstore.Options{Key: key, Wait: time.Second}, charge)
			if err == nil && (result.Outcome == idemstore.Started || result.Outcome == idemstore.Replay) {
				return
			}
			time.Sleep(10 * time.Millisecond)
		}
	}
	for i, key := range keys {
		group.Add(2)
		go each(key)
		go each(key)
		if i == 50 || i == 150 {
			if out, err := exec.Command("pg_ctl", "-D", data, "-m", "immediate", "-w", "-l", data+"/crash.log", "restart").CombinedOutput(); err != nil {
				t.Fatalf("%s", out)
			}
		}
	}
	group.Wait()
	for _, key := range keys {
		if n := count(t, db, `SELECT count(*) FROM charges WHERE payment = $1`, key); n != 1 {
			t.Errorf("%d charges for a payment", n)
		}
	}
}
