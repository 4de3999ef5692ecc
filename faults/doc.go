// Package faults attacks the built program as a process of its own and says in
// one figure line per test what was lost: it is killed, told to stop, flooded,
// starved and deceived, while simulated voters keep account of every vote that
// it acknowledged. It knows the node only by its command line, its sockets and
// its files; what a power cut or a flipped bit leaves of the files is opened with
// the program's own store. There is nothing in it but tests.
//
// In `make test` each fault is done a few times; `make faults` (the flag
// -large) does it as often as the figure is worth. Everything stays on
// loopback.
package faults
