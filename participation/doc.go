// Package participation is the domain: consultations that a municipality
// publishes, ballots and replies that citizens send, and results that anybody
// can check. It holds the rules and the use cases (Service) and declares what
// it needs kept (Store) and kept secret (Keyring).
//
// It does not know how the fediverse says a thing, how a page shows it or how
// a disk keeps it: those are the rooms activitypub, handlers and store.
package participation
