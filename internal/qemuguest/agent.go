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

// grace is how long the answer may take besides: an emulated processor on a busy
// machine is slow to read a command, and to start it.
const grace = 30 * time.Second

// maxOutput bounds the output of a command, in bytes: more than a guest's memory
// is not a length.
const maxOutput = 1 << 30

// errEnded is the error of a command that was under way when the guest ended.
var errEnded = errors.New("the guest has ended")

// errSilent is the error of a command that should have been answered long ago.
var errSilent = errors.New("the guest does not answer")

// agent speaks with the shell loop in agent.sh.
type agent struct {
	in     io.WriteCloser
	out    io.Closer
	lines  chan string   // to be written, in this order
	ready  chan struct{} // closed at the first line of the guest
	broken chan struct{} // closed when no more can be written
	done   chan struct{} // closed when nothing more can come

	mu     sync.Mutex
	number int
	sent   map[int]call // that the guest has not answered, wanted or given up
}

// call is a command in the hands of the guest.
type call struct {
	limit time.Duration
	reply chan reply
}

type reply struct {
	exit   int
	output []byte
}

func newAgent(in io.WriteCloser, out io.ReadCloser) *agent {
	a := &agent{in: in, out: out, lines: make(chan string), ready: make(chan struct{}), broken: make(chan struct{}), done: make(chan struct{}), sent: map[int]call{}}
	go a.listen(bufio.NewReader(out))
	go a.write()
	return a
}

// write hands lines to the guest. One that does not read holds up the next line, and
// nobody who waits.
func (a *agent) write() {
	defer close(a.broken)
	for {
		select {
		case line := <-a.lines:
			if _, err := io.WriteString(a.in, line); err != nil {
				return
			}
		case <-a.done:
			return
		}
	}
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
		if c, ok := a.sent[number]; ok {
			c.reply <- reply{exit, output} // there is room for one
			delete(a.sent, number)
		}
		a.mu.Unlock()
	}
}

// run sends a command and waits for its reply, no longer than the guest may take
// for it and for all before it. The guest takes one command after the other and ends
// a slow one by itself, so that those behind get their turn.
func (a *agent) run(ctx context.Context, command string, ended <-chan struct{}) ([]byte, int, error) {
	limit := runLimit
	if deadline, ok := ctx.Deadline(); ok {
		limit = time.Until(deadline)
	}
	limit = max(1, time.Duration(math.Ceil(limit.Seconds()))) * time.Second
	number, reply, patience := a.enter(limit)
	silent := time.NewTimer(patience)
	defer silent.Stop()
	line := fmt.Sprintf("%d %d %s\n", number, limit/time.Second, base64.StdEncoding.EncodeToString([]byte(command)))
	for lines := a.lines; ; {
		select {
		case lines <- line:
			lines = nil // once
		case r := <-reply:
			return r.output, r.exit, nil
		case <-a.broken:
			return nil, 0, errEnded
		case <-ended:
			return nil, 0, errEnded
		case <-ctx.Done():
			return nil, 0, a.giveUp(number, lines == nil, ctx.Err())
		case <-silent.C:
			return nil, 0, a.giveUp(number, lines == nil, errSilent)
		}
	}
}

// enter gives a command its number, and tells how long its answer may take.
func (a *agent) enter(limit time.Duration) (number int, r <-chan reply, patience time.Duration) {
	a.mu.Lock()
	defer a.mu.Unlock()
	a.number++
	c := call{limit, make(chan reply, 1)}
	a.sent[a.number] = c
	for _, before := range a.sent {
		patience += before.limit
	}
	return a.number, c.reply, patience + grace
}

// giveUp forgets a command that was never sent; the guest will come to one that was.
func (a *agent) giveUp(number int, sent bool, why error) error {
	a.mu.Lock()
	defer a.mu.Unlock()
	if !sent {
		delete(a.sent, number)
	}
	return why
}

// close ends the agent after QEMU has ended.
func (a *agent) close() {
	a.in.Close()
	a.out.Close()
	<-a.done
}
