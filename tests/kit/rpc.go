package kit

import (
	"bufio"
	"bytes"
	"context"
	"encoding/base64"
	"encoding/binary"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/textproto"
	"strconv"
	"strings"

	statuspb "google.golang.org/genproto/googleapis/rpc/status"
	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/metadata"
	"google.golang.org/grpc/status"
	"google.golang.org/protobuf/encoding/protojson"
	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/types/known/anypb"
	"google.golang.org/protobuf/types/known/emptypb"
)

// fromBinary and fromJSON read a message into into, or nowhere when it is nil.
func fromBinary(message []byte, into proto.Message) error {
	if into == nil {
		return nil
	}
	return proto.Unmarshal(message, into)
}

func fromJSON(text []byte, into proto.Message) error {
	if into == nil {
		return nil
	}
	return protojson.Unmarshal(text, into)
}

// GRPC is gRPC, by grpc-go.
func GRPC() Wire { return Wire{"grpc", callGRPC} }

func callGRPC(ctx context.Context, c *Client, call Call, into proto.Message) (Answer, error) {
	conn, err := c.GRPC()
	if err != nil {
		return Answer{}, err
	}
	md := metadata.MD{}
	for name, values := range call.header() {
		md.Append(name, values...)
	}
	if into == nil {
		into = &emptypb.Empty{} // takes whatever is not expected, as unknown fields
	}
	var head, trail metadata.MD
	err = conn.Invoke(metadata.NewOutgoingContext(ctx, md), Path(call.Method), call.Request, into,
		grpc.Header(&head), grpc.Trailer(&trail))
	s := status.Convert(err)
	a := Answer{Code: s.Code(), Message: s.Message(), Header: http.Header{}}
	for name, values := range metadata.Join(head, trail) {
		a.Header[http.CanonicalHeaderKey(name)] = values
	}
	for _, d := range s.Proto().GetDetails() {
		if err := a.addDetail(d); err != nil {
			return a, err
		}
	}
	return a, nil
}

// web returns a client for gRPC-Web (PROTOCOL-WEB.md of the gRPC project): frames of a flag
// byte, a length and content, of which the last has the trailers; as text in base64.
func web(asText bool) func(context.Context, *Client, Call, proto.Message) (Answer, error) {
	media := "application/grpc-web+proto"
	if asText {
		media = "application/grpc-web-text+proto"
	}
	return func(ctx context.Context, c *Client, call Call, into proto.Message) (Answer, error) {
		message, err := proto.Marshal(call.Request)
		if err != nil {
			return Answer{}, err
		}
		body := binary.BigEndian.AppendUint32([]byte{0}, uint32(len(message)))
		body = append(body, message...)
		if asText {
			body = []byte(base64.StdEncoding.EncodeToString(body))
		}
		h := call.header()
		h.Set("Content-Type", media)
		h.Set("Accept", media)
		h.Set("X-Grpc-Web", "1")
		res, text, err := post(ctx, c.HTTP, http.MethodPost, c.URL+Path(call.Method), body, h)
		if err != nil {
			return Answer{}, err
		}
		a := Answer{HTTP: res.StatusCode, Header: res.Header.Clone()}
		if got := res.Header.Get("Content-Type"); res.StatusCode != http.StatusOK || got != media {
			return a, fmt.Errorf("%w: status %d, Content-Type %q: %.200s", errNoAnswer, res.StatusCode, got, text)
		}
		if asText {
			if text, err = pieces(string(text)); err != nil {
				return a, err
			}
		}
		return a, a.readWeb(text, into)
	}
}

// pieces decodes base64 of which every piece may be padded.
func pieces(text string) ([]byte, error) {
	var all []byte
	for ; len(text) >= 4; text = text[4:] {
		b, err := base64.StdEncoding.DecodeString(text[:4])
		if err != nil {
			return nil, err
		}
		all = append(all, b...)
	}
	if text != "" {
		return nil, io.ErrUnexpectedEOF
	}
	return all, nil
}

// readWeb reads the frames of an answer, or the status among the headers of one without frames.
func (a *Answer) readWeb(body []byte, into proto.Message) error {
	trailers := a.Header
	var message []byte
	for messages := 0; len(body) > 0; {
		if len(body) < 5 || len(body)-5 < int(binary.BigEndian.Uint32(body[1:5])) {
			return io.ErrUnexpectedEOF
		}
		flag, end := body[0], 5+int(binary.BigEndian.Uint32(body[1:5]))
		content := body[5:end]
		body = body[end:]
		switch flag {
		case 0:
			if messages++; messages > 1 {
				return fmt.Errorf("%w: a second message", errNoAnswer)
			}
			message = content
		case 0x80:
			// The trailers are a header block without the empty line at its end.
			h, err := textproto.NewReader(bufio.NewReader(io.MultiReader(
				bytes.NewReader(content), strings.NewReader("\r\n")))).ReadMIMEHeader()
			if err != nil {
				return err
			}
			trailers = http.Header(h)
			if len(body) > 0 {
				return fmt.Errorf("%w: something follows the trailers", errNoAnswer)
			}
		default:
			return fmt.Errorf("%w: flag %#x", errNoAnswer, flag)
		}
	}
	return a.readTrailers(trailers, message, into)
}

// readTrailers reads the status of gRPC and, when it is OK, the message.
func (a *Answer) readTrailers(h http.Header, message []byte, into proto.Message) error {
	code, err := strconv.ParseUint(h.Get("Grpc-Status"), 10, 32)
	if err != nil {
		return fmt.Errorf("%w: Grpc-Status %q", errNoAnswer, h.Get("Grpc-Status"))
	}
	if a.Code = codes.Code(code); a.Code == codes.OK {
		return fromBinary(message, into)
	}
	if a.Message, err = percentDecode(h.Get("Grpc-Message")); err != nil {
		return err
	}
	packed, err := base64.RawStdEncoding.DecodeString(strings.TrimRight(h.Get("Grpc-Status-Details-Bin"), "="))
	if err != nil {
		return err
	}
	var s statuspb.Status
	if err := proto.Unmarshal(packed, &s); err != nil {
		return err
	}
	for _, d := range s.GetDetails() {
		if err := a.addDetail(d); err != nil {
			return err
		}
	}
	return nil
}

// percentDecode decodes Grpc-Message.
func percentDecode(s string) (string, error) {
	var b strings.Builder
	for i := 0; i < len(s); i++ {
		if s[i] != '%' {
			b.WriteByte(s[i])
			continue
		}
		if i+3 > len(s) {
			return "", io.ErrUnexpectedEOF
		}
		v, err := strconv.ParseUint(s[i+1:i+3], 16, 8)
		if err != nil {
			return "", err
		}
		b.WriteByte(byte(v))
		i += 2
	}
	return b.String(), nil
}

// connect returns a client for unary calls of the Connect protocol, with messages as JSON or in
// binary; errors are JSON in both.
func connect(asJSON bool) func(context.Context, *Client, Call, proto.Message) (Answer, error) {
	media, marshal, unmarshal := "application/proto", proto.Marshal, fromBinary
	if asJSON {
		media, marshal, unmarshal = "application/json", protojson.Marshal, fromJSON
	}
	return func(ctx context.Context, c *Client, call Call, into proto.Message) (Answer, error) {
		body, err := marshal(call.Request)
		if err != nil {
			return Answer{}, err
		}
		h := call.header()
		h.Set("Content-Type", media)
		h.Set("Connect-Protocol-Version", "1")
		res, text, err := post(ctx, c.HTTP, http.MethodPost, c.URL+Path(call.Method), body, h)
		if err != nil {
			return Answer{}, err
		}
		a := Answer{HTTP: res.StatusCode, Header: res.Header}
		if res.StatusCode != http.StatusOK {
			return a, a.readConnectError(text)
		}
		if got := res.Header.Get("Content-Type"); got != media {
			return a, fmt.Errorf("%w: Content-Type %q", errNoAnswer, got)
		}
		return a, unmarshal(text, into)
	}
}

// connectCodes are the codes of Connect by their names.
var connectCodes = map[string]codes.Code{
	"canceled": codes.Canceled, "unknown": codes.Unknown, "invalid_argument": codes.InvalidArgument,
	"deadline_exceeded": codes.DeadlineExceeded, "not_found": codes.NotFound, "already_exists": codes.AlreadyExists,
	"permission_denied": codes.PermissionDenied, "resource_exhausted": codes.ResourceExhausted,
	"failed_precondition": codes.FailedPrecondition, "aborted": codes.Aborted, "out_of_range": codes.OutOfRange,
	"unimplemented": codes.Unimplemented, "internal": codes.Internal, "unavailable": codes.Unavailable,
	"data_loss": codes.DataLoss, "unauthenticated": codes.Unauthenticated,
}

func (a *Answer) readConnectError(text []byte) error {
	var e struct {
		Code, Message string
		Details       []struct{ Type, Value string }
	}
	if err := json.Unmarshal(text, &e); err != nil {
		return fmt.Errorf("%w: status %d: %.200s", err, a.HTTP, text)
	}
	var known bool
	if a.Code, known = connectCodes[e.Code]; !known {
		return fmt.Errorf("%w: code %q", errNoAnswer, e.Code)
	}
	a.Message = e.Message
	for _, d := range e.Details {
		value, err := base64.RawStdEncoding.DecodeString(strings.TrimRight(d.Value, "="))
		if err != nil {
			return err
		}
		if err := a.addDetail(&anypb.Any{TypeUrl: "type.googleapis.com/" + d.Type, Value: value}); err != nil {
			return err
		}
	}
	return nil
}
