// Package ballotlog is the form of the log that makes a count checkable: what an
// entry says, what a ballot's commitment is, how the tree grows and how its head
// is signed. docs/ballot-log.md is the same in words. It keeps nothing itself:
// its tree lives in the tiles that the caller stores. It knows neither voters
// nor keys of consultations.
package ballotlog
