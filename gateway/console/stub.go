package console

type Page struct {
	Path, Type, ETag, Policy, Cache string
	Body                            []byte
}

func Pages() []Page {
	return []Page{{Path: "/", Type: "text/html; charset=utf-8", ETag: `"x"`, Policy: "connect-src 'self' ws: wss:", Body: []byte("<title>")}, {Path: "/tutorial", Type: "text/html; charset=utf-8", Body: []byte("Run WebSocket")}}
}
