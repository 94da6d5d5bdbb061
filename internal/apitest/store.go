package apitest

// Everywhere are the stories that are told to every node of a new store of six
// nodes and two shards; see Variables.
func Everywhere() []Story {
	return []Story{
		{"a key's life", keyLife()},
		{"view and shards", viewAndShards()},
		{"administration", administration()},
		{"peers", peers()},
	}
}

func viewAndShards() []Row {
	get := func(path, want string) Row { return Row{Method: "GET", Path: path, Status: 200, Want: want} }
	const members = `{"message":"Members of shard ID retrieved successfully","shard-id-members":`
	rows := []Row{
		get(healthPath, healthy),
		get(ViewPath, `{"message":"View retrieved successfully","view":"{view}"}`),
		get(ShardsPath+"shard-ids", `{"message":"Shard IDs retrieved successfully","shard-ids":["1","2"]}`),
		get(ShardsPath+"node-shard-id", `{"message":"Shard ID of the node retrieved successfully","shard-id":"{shard}"}`),
		get(ShardsPath+"shard-id-members/1", members+`[{members1}]}`),
		get(ShardsPath+"shard-id-members/2", members+`[{members2}]}`),
	}
	for _, id := range []string{"0", "3", "x", "one", "01", "1/", ""} {
		for _, question := range []string{"shard-id-members/", "shard-id-key-count/"} {
			rows = append(rows, Row{Method: "GET", Path: ShardsPath + question + id, Status: 404, Want: Refused("Shard ID does not exist", "GET")})
		}
	}
	return rows
}

// administration adds a stranger, which never shows up, and deletes it again. It
// leaves the shards as they were.
func administration() []Row {
	const (
		self    = `{"socket-address":"{self}"}`
		other   = `{"socket-address":"{stranger}"}`
		unknown = "Socket address does not exist in the view"
		missing = "Socket address is missing"
		member  = ShardsPath + "add-member/"
		reshard = ShardsPath + "reshard"
	)
	no := func(method, path, body string, status int, sentence string) Row {
		return Row{Method: method, Path: path, Body: body, Status: status, Want: Refused(sentence, method)}
	}
	return []Row{
		no("PUT", ViewPath, self, 404, "Socket address already exists in the view"),
		no("PUT", member+"1", other, 404, unknown),
		{Method: "PUT", Path: ViewPath, Body: other, Status: 201, Want: `{"message":"Replica added successfully to the view"}`},
		no("PUT", ViewPath, other, 404, "Socket address already exists in the view"),
		no("PUT", member+"1", other, 400, "*"),
		no("PUT", member+"3", other, 404, "Shard ID does not exist"),
		{Method: "DELETE", Path: ViewPath, Body: other, Status: 200, Want: `{"message":"Replica deleted successfully from the view"}`},
		no("PUT", ViewPath, `{}`, 400, missing),
		no("PUT", ViewPath, `{"socket-address":"x"}`, 400, "*"),
		no("PUT", ViewPath, `{"socket-address":"no port"}`, 400, "*"),
		no("DELETE", ViewPath, `{"socket-address":7}`, 400, "*"),
		no("DELETE", ViewPath, `{"socket-address":null}`, 400, "*"),
		{Method: "PUT", Path: member + "{shard}", Body: self, Status: 200, Want: `{"message":"Node added to shard successfully"}`},
		no("PUT", member+"{othershard}", self, 400, "*"),
		no("PUT", member+"3", self, 404, "Shard ID does not exist"),
		no("PUT", member+"1", `{"socket-address":null}`, 400, "*"),
		{Method: "PUT", Path: reshard, Body: `{"shard-count":4}`, Status: 400,
			Want: tooFew},
		{Method: "PUT", Path: reshard, Body: `{"shard-count":1e2}`, Status: 400, Want: Refused("*", "PUT")},
		{Method: "PUT", Path: reshard, Body: `{"shard-count":99999999999999999999}`, Status: 400, Want: tooFew},
		no("PUT", reshard, `{"shard-count":0}`, 400, "*"),
		no("PUT", reshard, `{"shard-count":"2"}`, 400, "*"),
		no("PUT", reshard, `{}`, 400, "*"),
		no("PUT", reshard, ``, 400, "*"),
		{Method: "GET", Path: reshard, Status: 200, Want: `{"message":"*","phase":"idle","keys-moved":0,"keys-to-move":0}`},
	}
}

// peers sends what no peer would.
func peers() []Row {
	const version = "The peer speaks version 99 of the peer protocol, this node version 1; run the same release everywhere"
	return []Row{
		{Method: "POST", Path: peerPath, Body: "nonsense", Status: 400, Want: Refused("*", "POST")},
		{Method: "POST", Path: peerPath, Body: "\x00\x00\x00\x02\x63\x01", Status: 400, Want: Refused(version, "POST")},
		{Method: "GET", Path: peerPath, Status: 405, Want: Refused("*", "GET")},
	}
}

// Forming is what a node answers before it has met the others; sentence is how
// it says so. What it can judge alone, it does.
func Forming(sentence string) []Row {
	var rows []Row
	for _, request := range [][3]string{
		{"GET", KeysPath + "x", ""}, {"PUT", KeysPath + "x", `{"value":1}`}, {"DELETE", KeysPath + "x", ""},
		{"GET", ShardsPath + "shard-ids", ""}, {"GET", ShardsPath + "shard-id-members/1", ""},
		{"PUT", ViewPath, `{"socket-address":"a:1"}`}, {"GET", ShardsPath + "reshard", ""},
	} {
		rows = append(rows, Row{
			Method: request[0], Path: request[1], Body: request[2], Status: 503, Want: Refused(sentence, request[0]), Retry: true,
		})
	}
	return append(rows,
		Row{Method: "PUT", Path: KeysPath + "x", Body: `{}`, Status: 400, Want: Refused("Value is missing", "PUT")},
		Row{Method: "PUT", Path: ViewPath, Body: `{}`, Status: 400, Want: Refused("Socket address is missing", "PUT")},
		Row{Method: "GET", Path: healthPath, Status: 200, Want: healthy},
	)
}

// Deleted is what a node answers that was deleted from the view and runs on.
func Deleted() []Row {
	const key = KeysPath + "x"
	return []Row{
		{Method: "GET", Path: ViewPath, Status: 503, Want: Refused("*", "GET")},
		{Method: "GET", Path: ShardsPath + "shard-ids", Status: 503, Want: Refused("*", "GET")},
		{Method: "GET", Path: ShardsPath + "reshard", Status: 503, Want: Refused("*", "GET")},
		{Method: "GET", Path: key, Status: 503, Want: Refused("*", "GET")},
		{Method: "PUT", Path: key, Body: `{"value":"of a stranger"}`, Status: 503, Want: Refused("*", "PUT")},
		{Method: "DELETE", Path: ViewPath, Body: `{"socket-address":"a:1"}`, Status: 503, Want: Refused("*", "DELETE")},
		{Method: "PUT", Path: key, Body: `{}`, Status: 400, Want: Refused("Value is missing", "PUT")},
		{Method: "PUT", Path: ViewPath, Body: `{}`, Status: 400, Want: Refused("Socket address is missing", "PUT")},
		{Method: "GET", Path: "/readyz", Status: 503, Want: Refused("*", "GET")},
		{Method: "GET", Path: healthPath, Status: 200, Want: healthy},
	}
}
