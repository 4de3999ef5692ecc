//go:build !linux && !darwin && !freebsd

package main

import "errors"

// descriptors is not known here.
func descriptors() (uint64, error) { return 0, errors.ErrUnsupported }
