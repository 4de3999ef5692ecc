// Package activitypub is the federation of the node: what comes in at the
// inboxes (Inbox), what goes out (Outbox, Deliverer), what is known of remote
// actors (Peers) and the documents that other servers fetch (Documents).
//
// It speaks ActivityPub with the shapes that real servers send and accept, and
// turns them into the use cases of participation and back. It does not count,
// does not render pages and does not know SQL. Limits and divergences from the
// specifications are listed in FEDERATION.md.
package activitypub
