package qemuguest

import (
	"bufio"
	"context"
	"encoding/base64"
	"errors"
	"fmt"
	"io"
	"math"
	"strings"
	"sync"
	"time"
)

// runLimit is how long a command may take when the context has no deadline.
const runLimit = time.Minute

// maxOutput bounds the output of a command, in bytes: more than a guest's memory
// is not a length.
const maxOutput = 1 << 30

// errEnded is the error of a command that was under way when the guest ended.
var errEnded = errors.New("the guest has ended")

// agent speaks with the shell loop in init.sh.
type agent struct {
	in    io.WriteCloser
	out   io.Closer
	ready chan struct{} // closed at the first line of the guest
	done  chan struct{} // closed when nothing more can come

	writing sync.Mutex

	mu      sync.Mutex
	number  int
	waiting map[int]chan reply
}

type reply struct {
	exit   int
	output []byte
}

func newAgent(in io.WriteCloser, out io.ReadCloser) *agent {
	a := &agent{in: in, out: out, ready: make(chan struct{}), done: make(chan struct{}), waiting: map[int]chan reply{}}
	go a.listen(bufio.NewReader(out))
	return a
}

// listen hands replies to those who wait. A reply that nobody waits for any more
// is read and forgotten.
func (a *agent) listen(r *bufio.Reader) {
	defer close(a.done)
	var once sync.Once
	for {
		line, err := r.ReadString('\n')
		if err != nil {
			return
		}
		var number, exit, length int
		if strings.TrimSpace(line) == "@ready" {
			once.Do(func() { close(a.ready) })
			continue
		}
		// What is neither was written by the firmware or a stray process.
		if n, _ := fmt.Sscanf(line, "@reply %d %d %d", &number, &exit, &length); n != 3 || length < 0 || length > maxOutput {
			continue
		}
		output := make([]byte, length)
		if _, err := io.ReadFull(r, output); err != nil {
			return
		}
		a.mu.Lock()
		if c, ok := a.waiting[number]; ok {
			c <- reply{exit, output}
		}
		a.mu.Unlock()
	}
}

// run sends a command and waits for its reply. The guest takes one command after
// the other and ends a slow one by itself, so that those behind get their turn.
func (a *agent) run(ctx context.Context, command string, ended <-chan struct{}) ([]byte, int, error) {
	limit := runLimit
	if deadline, ok := ctx.Deadline(); ok {
		limit = time.Until(deadline)
	}
	c := make(chan reply, 1)
	a.mu.Lock()
	a.number++
	number := a.number
	a.waiting[number] = c
	a.mu.Unlock()
	defer func() {
		a.mu.Lock()
		delete(a.waiting, number)
		a.mu.Unlock()
	}()
	seconds := max(1, int(math.Ceil(limit.Seconds())))
	a.writing.Lock()
	_, err := fmt.Fprintf(a.in, "%d %d %s\n", number, seconds, base64.StdEncoding.EncodeToString([]byte(command)))
	a.writing.Unlock()
	if err != nil {
		return nil, 0, errEnded
	}
	select {
	case r := <-c:
		return r.output, r.exit, nil
	case <-ended:
		return nil, 0, errEnded
	case <-ctx.Done():
		return nil, 0, ctx.Err()
	}
}

// close ends the agent after QEMU has ended.
func (a *agent) close() {
	a.in.Close()
	a.out.Close()
	<-a.done
}
