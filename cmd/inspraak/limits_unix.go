//go:build linux || darwin || freebsd

package main

import "golang.org/x/sys/unix"

// descriptors is how many file descriptors this process may have open.
func descriptors() (uint64, error) {
	var r unix.Rlimit
	if err := unix.Getrlimit(unix.RLIMIT_NOFILE, &r); err != nil {
		return 0, err
	}
	return uint64(r.Cur), nil
}
