// The two classes of docs/start/spring.md, with Spring's JdbcTemplate and transactions,
// and the requests of the first pages. In place of a container stands what its proxy
// does for @Transactional; there is no web server. Prints every answer.
package shop;

import java.math.BigDecimal;
import java.util.Map;
import org.postgresql.ds.PGSimpleDataSource;
import org.springframework.http.ResponseEntity;
import org.springframework.jdbc.core.JdbcTemplate;
import org.springframework.jdbc.datasource.DataSourceTransactionManager;
import org.springframework.transaction.support.TransactionTemplate;

public class Spring {
	public static void main(String[] arguments) throws Exception {
		Map<String, String> e = System.getenv();
		PGSimpleDataSource source = new PGSimpleDataSource();
		source.setUrl("jdbc:postgresql://" + e.get("PGHOST") + ":" + e.get("PGPORT") + "/" + e.get("PGDATABASE"));
		source.setUser(e.get("PGUSER"));

		JdbcTemplate jdbc = new JdbcTemplate(source);
		TransactionTemplate transaction = new TransactionTemplate(new DataSourceTransactionManager(source));
		Payments payments = new Payments(jdbc) {
			@Override
			public Answer pay(String key, String fingerprint, BigDecimal amount) {
				return transaction.execute(status -> super.pay(key, fingerprint, amount));
			}
		};
		PaymentsController controller = new PaymentsController(payments);

		for (String body : new String[] {"{\"amount\": 9.99}", "{\"amount\": 9.99}", "{\"amount\": 100}"}) {
			ResponseEntity<byte[]> answer = controller.pay("pay-1", body.getBytes("UTF-8"));
			System.out.println(answer.getStatusCodeValue() + " " + new String(answer.getBody(), "UTF-8"));
		}
		System.out.println(jdbc.queryForObject("SELECT count(*) FROM ledger", Long.class));
	}
}
