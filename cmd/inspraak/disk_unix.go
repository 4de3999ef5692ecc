//go:build linux || darwin || freebsd

package main

import "golang.org/x/sys/unix"

// freeSpace is the number of bytes that the disk of a folder still takes.
func freeSpace(folder string) (uint64, error) {
	var s unix.Statfs_t
	if err := unix.Statfs(folder, &s); err != nil {
		return 0, err
	}
	return uint64(s.Bavail) * uint64(s.Bsize), nil
}
