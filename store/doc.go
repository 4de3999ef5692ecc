// Package store keeps what the node knows in one SQLite file, and its keys in
// files beside it. DB implements participation.Store and activitypub.Store,
// Keys implements participation.Keyring.
//
// All writing goes through one goroutine, which puts the jobs that wait
// together into one transaction and answers them after COMMIT: a method that
// returns nil has its effect on disk (WAL, synchronous=FULL). Reading uses
// connections of its own and sees what is committed.
//
// The package applies no rules of the domain and opens no seal: ballots are
// bytes to it.
package store
