import java.io.IOException;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.security.MessageDigest;
import java.sql.Connection;
import java.sql.DriverManager;
import java.sql.PreparedStatement;
import java.sql.ResultSet;
import java.sql.SQLException;
import java.util.ArrayList;
import java.util.HashMap;
import java.util.HexFormat;
import java.util.List;
import java.util.Map;
import java.util.regex.Matcher;
import java.util.regex.Pattern;
import org.postgresql.util.PGInterval;
import org.postgresql.util.PGobject;

/**
 * JDBC gives every parameter a type, and a String is a varchar: JSON is passed as
 * a PGobject of type json, or with a cast.
 */
class Jdbc {
	private static final Pattern PARAMETER = Pattern.compile("<<(\\S+) (.*?)>>");
	private static final Map<String, Object> remembered = new HashMap<>();

	public static void main(String[] arguments) throws Exception {
		Map<String, Connection> sessions = Map.of("A", connect(), "B", connect());
		for (String line : Files.readAllLines(Path.of(arguments[0]))) {
			String[] parts = line.split("\t");
			System.out.println(answer(sessions.get(parts[0]), parts[1]));
		}
		for (Connection session : sessions.values())
			session.close();
	}

	private static Connection connect() throws SQLException {
		Map<String, String> e = System.getenv();
		return DriverManager.getConnection("jdbc:postgresql://" + e.get("PGHOST") + ":" + e.get("PGPORT") + "/" + e.get("PGDATABASE"), e.get("PGUSER"), "");
	}

	private static String answer(Connection session, String statement) throws Exception {
		try {
			switch (statement) {
				case "begin" -> session.setAutoCommit(false);
				case "commit", "rollback" -> {
					if (statement.equals("commit"))
						session.commit();
					else
						session.rollback();
					session.setAutoCommit(true);
				}
				default -> { return query(session, statement); }
			}
			return "";
		} catch (SQLException error) {
			return "error " + error.getSQLState();
		}
	}

	private static String query(Connection session, String text) throws Exception {
		Matcher parameters = PARAMETER.matcher(text);
		try (PreparedStatement statement = session.prepareStatement(parameters.replaceAll("?"))) {
			parameters.reset();
			for (int i = 1; parameters.find(); i++) {
				String type = parameters.group(1), given = parameters.group(2);
				if (type.equals("="))
					statement.setObject(i, remembered.get(given));
				else
					bind(statement, i, type, content(given));
			}
			return statement.execute() ? read(statement.getResultSet()) : "";
		}
	}

	private static byte[] content(String given) throws IOException {
		return given.startsWith("@") ? Files.readAllBytes(Path.of(given.substring(1))) : given.getBytes(StandardCharsets.UTF_8);
	}

	private static void bind(PreparedStatement statement, int i, String type, byte[] content) throws SQLException {
		String text = new String(content, StandardCharsets.UTF_8);
		switch (type) {
			case "bytes" -> statement.setBytes(i, content);
			case "json" -> {
				PGobject json = new PGobject();
				json.setType("json");
				json.setValue(text);
				statement.setObject(i, json);
			}
			case "int" -> statement.setInt(i, Integer.parseInt(text));
			case "long", "nanoseconds" -> statement.setLong(i, Long.parseLong(text));
			case "seconds" -> statement.setDouble(i, Double.parseDouble(text));
			case "duration" -> statement.setObject(i, new PGInterval(0, 0, 0, 0, 0, Double.parseDouble(text)));
			case "texts" -> statement.setArray(i, statement.getConnection().createArrayOf("text", text.split(",")));
			default -> statement.setString(i, text);
		}
	}

	private static String read(ResultSet rows) throws Exception {
		List<String> lines = new ArrayList<>();
		int columns = rows.getMetaData().getColumnCount();
		while (rows.next()) {
			List<String> row = new ArrayList<>();
			for (int i = 1; i <= columns; i++) {
				Object value = rows.getObject(i);
				remembered.put(rows.getMetaData().getColumnName(i), value);
				row.add(shown(value));
			}
			lines.add(String.join("|", row));
		}
		return String.join(";", lines);
	}

	private static String shown(Object value) throws Exception {
		if (value == null)
			return "NULL";
		if (value instanceof byte[] bytes)
			return hashed("bytes", bytes);
		String text = value.toString();
		return text.matches("[ -~]{0,80}") ? text : hashed("text", text.getBytes(StandardCharsets.UTF_8));
	}

	private static String hashed(String type, byte[] content) throws Exception {
		return type + " " + content.length + " " + HexFormat.of().formatHex(MessageDigest.getInstance("SHA-256").digest(content));
	}
}
