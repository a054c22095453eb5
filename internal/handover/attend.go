package handover

import (
	"context"
	"encoding/json"
	"fmt"
	"net"
	"os"
	"time"

	"golang.org/x/sys/unix"

	"kvmnet/internal/api"
)

// visit is one connection. It may ask for several ports, one after the other, and
// keeps those that are opened by name until it ends.
type visit struct {
	s    *Server
	conn *net.UnixConn
	who  api.Caller
	user *user
	kept []string
}

// attend serves a connection to its end.
func (s *Server) attend(ctx context.Context, c *net.UnixConn) {
	defer s.forget(c)
	who, err := caller(c)
	if err != nil {
		s.log.Warn("serve a guest's program", "error", err)
		return
	}
	v := &visit{s: s, conn: c, who: who}
	if v.user, err = s.crowd.enter(who.UID); err != nil {
		v.reply(nil, answer{Error: api.AsError(err)})
		return
	}
	for v.serve(ctx) {
	}
	s.crowd.leave(who.UID, v.user, len(v.kept) > 0)
	if ctx.Err() != nil {
		return // the daemon goes; its successor looks at who has the taps open
	}
	for _, name := range v.kept {
		s.opener.LeavePort(ctx, name)
	}
}

// serve answers one request, and reports whether there may be another.
func (v *visit) serve(ctx context.Context) bool {
	if len(v.kept) == 0 {
		v.conn.SetReadDeadline(time.Now().Add(v.s.patience))
	} else {
		v.conn.SetReadDeadline(time.Time{})
	}
	if ctx.Err() != nil { // the deadline of hangUp may just have been overwritten
		return false
	}
	packet := make([]byte, maxRequest)
	// Descriptors that come beside a request have no room here: the kernel closes them.
	n, _, flags, _, err := v.conn.ReadMsgUnix(packet, nil)
	switch {
	case err != nil || n == 0:
		return false
	case flags&unix.MSG_TRUNC != 0:
		return v.reply(nil, answer{Error: refuse("the request is larger than %d bytes", maxRequest)})
	}
	r, err := parseRequest(packet[:n])
	if err == nil && r.Owner != "" && v.who.UID != 0 {
		err = refuse("open a port for user %s: only root may; leave the owner out", r.Owner)
	}
	if err != nil {
		return v.reply(nil, answer{Error: api.AsError(err)})
	}
	v.user.busy.Lock()
	defer v.user.busy.Unlock()
	return v.open(ctx, r)
}

// open opens a port and hands it over. One that cannot be handed over is left.
func (v *visit) open(ctx context.Context, r api.OpenPort) bool {
	files, opened, err := v.s.open(ctx, v.who, r)
	if err != nil {
		v.s.log.Debug("open a port", "uid", v.who.UID, "pid", v.who.PID, "network", r.Network, "bridge", r.Bridge, "error", err)
		return v.reply(nil, answer{Error: api.AsError(err)})
	}
	name := opened.Port.Name
	if r.ByName {
		v.keep(name)
	}
	sent := v.reply(files, answer{Opened: &opened})
	closeAll(files)
	if !sent && !r.ByName {
		v.s.opener.LeavePort(ctx, name)
	}
	return sent
}

func (v *visit) keep(name string) {
	v.s.opener.KeepPort(name)
	if len(v.kept) == 0 {
		v.s.crowd.keeps(v.user)
	}
	v.kept = append(v.kept, name)
}

// open returns a port with the descriptors of its tap, and those of vhost-net where
// they are asked for.
func (s *Server) open(ctx context.Context, who api.Caller, r api.OpenPort) ([]*os.File, api.Opened, error) {
	port, files, err := s.opener.OpenPort(ctx, who, r)
	if err != nil {
		return nil, api.Opened{}, err
	}
	opened := api.Opened{Port: port, Taps: len(files)}
	if r.Vhost {
		vhosts, err := openVhosts(s.vhostDevice, len(files))
		if err != nil {
			closeAll(files)
			s.opener.LeavePort(ctx, port.Name)
			return nil, api.Opened{}, err
		}
		opened.Vhosts = len(vhosts)
		files = append(files, vhosts...)
	}
	return files, opened, nil
}

// reply sends an answer with descriptors, and reports whether it went.
func (v *visit) reply(files []*os.File, a answer) bool {
	packet, err := json.Marshal(a)
	if err == nil && len(packet) > maxAnswer {
		err = fmt.Errorf("%d bytes are too many for one packet", len(packet))
	}
	if err != nil {
		files = nil
		packet, _ = json.Marshal(answer{Error: &api.Error{Code: api.CodeInternal, Message: "write the answer: " + err.Error()}})
	}
	var beside []byte
	if len(files) > 0 {
		beside = rights(files)
	}
	v.conn.SetWriteDeadline(time.Now().Add(v.s.patience))
	_, _, sendErr := v.conn.WriteMsgUnix(packet, beside, nil)
	if sendErr != nil {
		v.s.log.Debug("answer a guest's program", "uid", v.who.UID, "pid", v.who.PID, "error", sendErr)
	}
	return err == nil && sendErr == nil
}

// rights are descriptors as they travel. They are asked of the connection of each
// file: Fd would make the tap block.
func rights(files []*os.File) []byte {
	var fds []int
	for _, f := range files {
		if raw, err := f.SyscallConn(); err == nil {
			raw.Control(func(fd uintptr) { fds = append(fds, int(fd)) })
		}
	}
	return unix.UnixRights(fds...)
}
