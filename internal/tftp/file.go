package tftp

import (
	"bytes"
	"errors"
	"io"
	"io/fs"
	"os"
	"strings"
	"syscall"
)

// mostText is the longest file that is sent as netascii, for which it is read as
// a whole: what loaders ask for in it are their menus. All transfers of a server
// may be of such files at a time.
const mostText = 256 << 10

// content is what a transfer sends.
type content struct {
	io.ReaderAt
	size   int64
	closer io.Closer
}

func (c content) Close() error { return c.closer.Close() }

// fault is why a file is not sent, as the client hears it.
type fault struct {
	code uint16
	text string
}

func (f fault) Error() string { return f.text }

// open finds a regular file below dir. The directory is looked up anew each time,
// so that one put in its place counts from then on.
func open(dir, name string, text bool) (content, error) {
	root, err := os.OpenRoot(dir)
	if err != nil {
		return content{}, faultOf(err)
	}
	defer root.Close()
	// Not to wait for the other end of a named pipe.
	f, err := root.OpenFile(name, os.O_RDONLY|syscall.O_NONBLOCK, 0)
	if err != nil {
		return content{}, faultOf(err)
	}
	info, err := f.Stat()
	switch {
	case err != nil:
		f.Close()
		return content{}, faultOf(err)
	case !info.Mode().IsRegular():
		f.Close()
		return content{}, fault{codeAccess, "not a regular file"}
	case text:
		defer f.Close()
		return asText(f, info.Size())
	}
	return content{f, info.Size(), f}, nil
}

// faultOf keeps the host's paths to the host.
func faultOf(err error) fault {
	if errors.Is(err, fs.ErrNotExist) {
		return fault{codeNotFound, "file not found"}
	}
	return fault{codeAccess, "access denied"}
}

// toNetASCII is the translation of RFC 764: line ends are CR LF, and a CR that is
// none is CR NUL.
var toNetASCII = strings.NewReplacer("\r\n", "\r\x00\r\n", "\r", "\r\x00", "\n", "\r\n")

func asText(f *os.File, size int64) (content, error) {
	if size > mostText {
		return content{}, fault{codeOther, "too long for netascii, ask for octet"}
	}
	b, err := io.ReadAll(io.LimitReader(f, mostText))
	if err != nil {
		return content{}, faultOf(err)
	}
	r := bytes.NewReader([]byte(toNetASCII.Replace(string(b))))
	return content{r, r.Size(), io.NopCloser(r)}, nil
}
