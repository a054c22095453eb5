package tftp

import (
	"bytes"
	"encoding/binary"
	"io"
	"net"
	"testing"
	"testing/synctest"
	"time"

	"pgregory.net/rapid"
)

func file(b []byte) content {
	r := bytes.NewReader(b)
	return content{r, r.Size(), io.NopCloser(r)}
}

// receive plays a client at the other end of a pipe: it acknowledges each window,
// and again when nothing comes for two seconds. lose says which packets get lost,
// in either direction, in turn.
func receive(conn net.Conn, t terms, lose func() bool) (got []byte, whole bool) {
	next, in := uint16(1), 0
	buf := make([]byte, 70000)
	acknowledge := func() {
		in = 0
		if !lose() {
			conn.Write(binary.BigEndian.AppendUint16([]byte{0, opAck}, next-1))
		}
	}
	for idle := 0; idle < 4; {
		conn.SetReadDeadline(time.Now().Add(2 * time.Second))
		n, err := conn.Read(buf)
		if e, ok := err.(net.Error); ok && e.Timeout() {
			idle++
			acknowledge()
			continue
		}
		if err != nil {
			return got, false
		}
		if lose() {
			continue
		}
		idle = 0
		switch {
		case buf[1] == opOACK:
			acknowledge()
		case buf[1] == opData && binary.BigEndian.Uint16(buf[2:]) == next:
			got = append(got, buf[4:n]...)
			next++
			if in++; n-4 < t.block {
				acknowledge()
				return got, true
			} else if in == t.window {
				acknowledge()
			}
		}
	}
	return got, false
}

// pass sends a file to a client over a pipe.
func pass(t *testing.T, data []byte, terms terms, lose func() bool) (got []byte, whole bool, err error) {
	synctest.Test(t, func(*testing.T) {
		here, there := net.Pipe()
		done := make(chan struct{})
		go func() {
			got, whole = receive(there, terms, lose)
			there.Close()
			close(done)
		}()
		err = newTransfer(here, file(data), terms, time.Second).run()
		here.Close()
		<-done
	})
	return got, whole, err
}

func TestFilesOfAllSizesArriveWhole(t *testing.T) {
	t.Parallel()
	for _, size := range []int{0, 1, 511, 512, 513, 1024, 10000, 70000 * 8} {
		for _, terms := range []terms{{block: 512, window: 1}, {block: 8, window: 1}, {block: 512, window: 7}, {block: 1468, window: 64, answer: []option{{"blksize", "1468"}}}} {
			data := bytes.Repeat([]byte("0123456789abcde"), size/15+1)[:size]
			got, whole, err := pass(t, data, terms, func() bool { return false })
			if err != nil || !whole || !bytes.Equal(got, data) {
				t.Errorf("%d bytes, %+v: %d arrived, %v", size, terms, len(got), err)
			}
		}
	}
}

// TestLossDelaysOnly: whatever packets get lost, the client gets the file as it is
// or one side gives up.
func TestLossDelaysOnly(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(rt *rapid.T) {
		data := rapid.SliceOfN(rapid.Byte(), 0, 200).Draw(rt, "data")
		terms := terms{block: rapid.IntRange(8, 32).Draw(rt, "block"), window: rapid.IntRange(1, 6).Draw(rt, "window")}
		if rapid.Bool().Draw(rt, "options") {
			terms.answer = []option{{"blksize", "9"}}
		}
		losses := rapid.SliceOfN(rapid.Bool(), 0, 60).Draw(rt, "losses")
		got, whole, err := pass(t, data, terms, func() bool {
			if len(losses) == 0 {
				return false
			}
			lost := losses[0]
			losses = losses[1:]
			return lost
		})
		if whole && !bytes.Equal(got, data) {
			rt.Fatalf("got %x instead of %x (%v)", got, data, err)
		}
		if !whole && err == nil {
			rt.Fatal("the server believes that all arrived")
		}
	})
}

// TestDuplicatesAreNotDoubled: RFC 1123 section 4.2.3.1, the sorcerer's apprentice.
func TestDuplicatesAreNotDoubled(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		here, there := net.Pipe()
		go newTransfer(here, file(make([]byte, 2000)), terms{block: 512, window: 1}, time.Second).run()
		buf, first := make([]byte, 600), []byte{0, opAck, 0, 1}
		there.Read(buf)
		there.Write(first)
		there.Read(buf)
		there.Write(first)
		there.SetReadDeadline(time.Now().Add(time.Second / 2))
		if n, err := there.Read(buf); err == nil {
			t.Errorf("block %d again, %d bytes", buf[3], n)
		}
		there.Close()
	})
}

func TestClientThatSaysNothingIsGivenUp(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		here, there := net.Pipe()
		go io.Copy(io.Discard, there)
		start := time.Now()
		if err := newTransfer(here, file([]byte("x")), terms{block: 512, window: 1}, time.Second).run(); err == nil {
			t.Error("no error")
		}
		if took := time.Since(start); took != (1+retries)*time.Second {
			t.Errorf("after %s", took)
		}
		here.Close()
	})
}

func TestClientStopsTheTransfer(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		here, there := net.Pipe()
		go func() {
			there.Read(make([]byte, 600))
			there.Write(failure(codeOther, "I know the size now"))
		}()
		if err := newTransfer(here, file([]byte("x")), terms{block: 512, window: 1}, time.Second).run(); err != errStopped {
			t.Errorf("error %v", err)
		}
	})
}

func TestFileThatShrinksIsNotFaked(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		here, there := net.Pipe()
		go receive(there, terms{block: 512, window: 1}, func() bool { return false })
		c := file(make([]byte, 700))
		c.size = 2000
		if err := newTransfer(here, c, terms{block: 512, window: 1}, time.Second).run(); err != errChanged {
			t.Errorf("error %v", err)
		}
		here.Close()
	})
}
