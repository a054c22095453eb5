package handover

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"strings"

	"golang.org/x/sys/unix"

	"kvmnet/internal/api"
)

// A request is one packet with an api.OpenPort as JSON, an answer one packet with an
// answer as JSON and the descriptors beside it.
const (
	maxRequest = 16 << 10
	maxAnswer  = 64 << 10
)

// maxDescriptors is how many one packet takes: SCM_MAX_FD of the kernel.
const maxDescriptors = 253

// answer has one of the two.
type answer struct {
	Opened *api.Opened `json:"opened,omitempty"`
	Error  *api.Error  `json:"error,omitempty"`
}

// parseRequest reads a request. Fields nobody knows are refused: one that is not
// heeded may be a guard that is not set.
func parseRequest(packet []byte) (r api.OpenPort, err error) {
	d := json.NewDecoder(bytes.NewReader(packet))
	d.DisallowUnknownFields()
	if err = d.Decode(&r); err == nil {
		if _, more := d.Token(); more != io.EOF {
			err = errors.New("something follows the JSON value")
		}
	}
	if err != nil {
		return api.OpenPort{}, refuse("read the request: %s", strings.TrimPrefix(err.Error(), "json: "))
	}
	return r, fits(r)
}

// fits refuses a port that has more descriptors than an answer.
func fits(r api.OpenPort) error {
	n := max(r.Queues, 1)
	if r.Vhost && n <= maxDescriptors {
		n *= 2
	}
	if !r.ByName && (r.Queues < 0 || n > maxDescriptors) {
		return refuse("%d queues do not fit into one answer, which takes %d descriptors: one a queue, and with vhost two", r.Queues, maxDescriptors)
	}
	return nil
}

// parseAnswer reads an answer that came with so many descriptors. More of them are
// promised than came where the reader may not open as many files.
func parseAnswer(packet []byte, came int) (api.Opened, error) {
	var a answer
	if err := json.Unmarshal(packet, &a); err != nil {
		return api.Opened{}, fmt.Errorf("the answer is not one: %w", err)
	}
	switch o := a.Opened; {
	case a.Error != nil:
		return api.Opened{}, a.Error
	case o == nil || o.Port.Spec == nil || o.Taps < 0 || o.Vhosts < 0:
		return api.Opened{}, errors.New("the answer has no port")
	case came != o.Taps+o.Vhosts:
		return api.Opened{}, fmt.Errorf("%d of %d descriptors came; close some files, or raise the limit of open ones (ulimit -n)", came, o.Taps+o.Vhosts)
	}
	return *a.Opened, nil
}

func refuse(format string, args ...any) *api.Error {
	return &api.Error{Code: api.CodeInvalid, Message: fmt.Sprintf(format, args...)}
}

// descriptors takes them out of what came beside a packet. Those of a message that
// cannot be read are none of ours.
func descriptors(beside []byte) (fds []int) {
	messages, err := unix.ParseSocketControlMessage(beside)
	if err != nil {
		return nil
	}
	for _, m := range messages {
		m.Data = m.Data[:len(m.Data)/4*4] // ParseUnixRights reads beyond the end otherwise
		if some, err := unix.ParseUnixRights(&m); err == nil {
			fds = append(fds, some...)
		}
	}
	return fds
}
