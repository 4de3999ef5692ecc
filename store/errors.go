package store

import (
	"database/sql"
	"errors"
	"fmt"

	"modernc.org/sqlite"
	sqlite3 "modernc.org/sqlite/lib"

	"inspraak/participation"
)

// ErrUnavailable is wrapped by every failure that is not the request's fault
// and may pass: a full or failing disk, a file that another process holds or
// that cannot be written, a store that is closing. Nothing was written; the
// same call may succeed later.
var ErrUnavailable = errors.New("the database is unavailable")

var (
	errClosed = fmt.Errorf("%w: it is closed", ErrUnavailable)
	errOver   = errors.New("this transaction is over: use it only inside Update")
)

// translate gives a failure of the driver the meaning callers act on.
func translate(err error) error {
	var failure *sqlite.Error
	switch {
	case err == nil:
		return nil
	case errors.Is(err, sql.ErrNoRows):
		return participation.ErrNotFound
	case !errors.As(err, &failure) || errors.Is(err, ErrUnavailable):
		return err
	}
	switch failure.Code() & 0xff { // the low byte is the primary code: 778 is a kind of IOERR
	case sqlite3.SQLITE_BUSY, sqlite3.SQLITE_READONLY, sqlite3.SQLITE_IOERR,
		sqlite3.SQLITE_FULL, sqlite3.SQLITE_CANTOPEN:
		return fmt.Errorf("%w: %w", ErrUnavailable, err)
	}
	return err
}

// taken tells whether a uniqueness constraint refused a row.
func taken(err error) bool {
	var failure *sqlite.Error
	return errors.As(err, &failure) && (failure.Code() == sqlite3.SQLITE_CONSTRAINT_UNIQUE ||
		failure.Code() == sqlite3.SQLITE_CONSTRAINT_PRIMARYKEY)
}
