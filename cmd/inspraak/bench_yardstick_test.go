package main

import (
	"crypto"
	"crypto/rand"
	"crypto/rsa"
	"crypto/sha256"
	"runtime"
	"sync/atomic"
	"syscall"
	"testing"
	"time"
)

// A yardstick is one RSA-2048 operation. Whatever else runs on the machine
// makes it slower, and the node as well; so it is measured during the load that
// is held against it, in small portions on a thread of its own.
type yardstick struct {
	b         *testing.B
	key       *rsa.PrivateKey
	sum       [32]byte
	signature []byte
}

func newYardstick(b *testing.B) *yardstick {
	key, err := rsa.GenerateKey(rand.Reader, 2048)
	if err != nil {
		b.Fatal(err)
	}
	y := &yardstick{b: b, key: key, sum: sha256.Sum256([]byte("inspraak"))}
	y.sign()
	return y
}

func (y *yardstick) sign() {
	var err error
	if y.signature, err = rsa.SignPKCS1v15(nil, y.key, crypto.SHA256, y.sum[:]); err != nil {
		y.b.Error(err)
	}
}

func (y *yardstick) verify() {
	if err := rsa.VerifyPKCS1v15(&y.key.PublicKey, crypto.SHA256, y.sum[:], y.signature); err != nil {
		y.b.Error(err)
	}
}

// portion is how much CPU is spent on the yardstick at a time, then idle is
// how long it rests.
const (
	portion = time.Millisecond
	idle    = 15 * time.Millisecond
)

// alone is the CPU time of one operation while this process does nothing else.
func (y *yardstick) alone(operation func()) time.Duration {
	return y.during(operation, func() { time.Sleep(2 * time.Second) })
}

// during is the CPU time of one operation while load runs.
func (y *yardstick) during(operation, load func()) time.Duration {
	var over atomic.Bool
	each := make(chan time.Duration)
	go func() {
		runtime.LockOSThread()
		defer runtime.UnlockOSThread()
		var used time.Duration
		n := 0
		for used == 0 || !over.Load() {
			before, spent := cpuSpent(1), time.Duration(0)
			for spent < portion {
				operation()
				n++
				spent = cpuSpent(1) - before
			}
			used += spent
			time.Sleep(idle)
		}
		each <- used / time.Duration(n)
	}()
	load()
	over.Store(true)
	return <-each
}

// cpuSpent is the user and system time of this process (0) or of the calling
// thread (1): RUSAGE_SELF and RUSAGE_THREAD of getrusage(2), which fail for
// nobody else.
func cpuSpent(who int) time.Duration {
	var u syscall.Rusage
	_ = syscall.Getrusage(who, &u)
	return time.Duration(u.Utime.Nano() + u.Stime.Nano())
}
