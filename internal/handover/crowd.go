package handover

import (
	"fmt"
	"sync"

	"kvmnet/internal/api"
)

// Limits of connections that keep no port. Those that do are as many as ports, which
// whoever opens them decides on.
const (
	maxWaiting     = 1024 // of all users
	maxWaitingEach = 64   // of one user
)

// crowd counts who is connected, so that one user does not keep the others out.
type crowd struct {
	mu      sync.Mutex
	waiting int
	users   map[int]*user
}

// user are the connections of one user. One of them is served at a time: a flood of
// requests delays its own.
type user struct {
	connections, waiting int
	busy                 sync.Mutex
}

// enter counts a connection in, unless there are too many.
func (c *crowd) enter(uid int) (*user, error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	u := c.users[uid]
	if u == nil {
		u = &user{}
	}
	switch {
	case u.waiting >= maxWaitingEach:
		return nil, crowded(fmt.Sprintf("user %d has %d connections already", uid, u.waiting))
	case c.waiting >= maxWaiting:
		return nil, crowded(fmt.Sprintf("there are %d connections already", c.waiting))
	}
	if c.users == nil {
		c.users = map[int]*user{}
	}
	c.users[uid] = u
	u.connections++
	c.wait(u, 1)
	return u, nil
}

// leave counts a connection out.
func (c *crowd) leave(uid int, u *user, keeps bool) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if !keeps {
		c.wait(u, -1)
	}
	if u.connections--; u.connections == 0 {
		delete(c.users, uid)
	}
}

// keeps says that a connection keeps its first port: it is no longer one that waits.
func (c *crowd) keeps(u *user) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.wait(u, -1)
}

func (c *crowd) wait(u *user, n int) { u.waiting, c.waiting = u.waiting+n, c.waiting+n }

func crowded(why string) *api.Error {
	return &api.Error{Code: api.CodeConflict, Message: "take another request: " + why + "; try again when one has ended"}
}
