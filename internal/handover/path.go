package handover

import (
	"cmp"
	"os"
	"path/filepath"
)

// name of the socket in the directory of the daemon's own.
const name = "guests.sock"

// Path is where the socket is: as the environment says, or beside the daemon's own,
// or where that is not known in the runtime directory.
func Path(socket, runtime string) string {
	dir := runtime
	if socket != "" {
		dir = filepath.Dir(socket)
	}
	return cmp.Or(os.Getenv("KVMNET_GUESTS_SOCKET"), filepath.Join(dir, name))
}
