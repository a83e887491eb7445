//! Numbers, money, dates and CSV fields as bytes, without allocation and without floating point.

/// Appends a decimal integer.
#[inline]
pub(crate) fn integer(out: &mut Vec<u8>, value: i64) {
    if value < 0 {
        out.push(b'-');
    }
    natural(out, value.unsigned_abs());
}

#[inline]
fn natural(out: &mut Vec<u8>, mut value: u64) {
    let mut digits = [0u8; 20];
    let mut start = digits.len();
    loop {
        start -= 1;
        digits[start] = b'0' + (value % 10) as u8;
        value /= 10;
        if value == 0 {
            break;
        }
    }
    out.extend_from_slice(&digits[start..]);
}

/// Appends pence as pounds, the way the real exports do: `2.55`, `2.1`, and for whole pounds `2` or `2.0`.
#[inline]
pub(crate) fn money(out: &mut Vec<u8>, pence: i64, whole: &[u8]) {
    if pence < 0 {
        out.push(b'-');
    }
    let (pounds, rest) = (pence.unsigned_abs() / 100, (pence.unsigned_abs() % 100) as u8);
    natural(out, pounds);
    if rest == 0 {
        out.extend_from_slice(whole);
        return;
    }
    out.extend_from_slice(&[b'.', b'0' + rest / 10]);
    if rest % 10 != 0 {
        out.push(b'0' + rest % 10);
    }
}

/// Appends a CSV field, quoted when it holds a comma, a quote or a newline.
pub(crate) fn field(out: &mut Vec<u8>, value: &[u8]) {
    if !value.iter().any(|byte| matches!(byte, b',' | b'"' | b'\n' | b'\r')) {
        out.extend_from_slice(value);
        return;
    }
    out.push(b'"');
    for &byte in value {
        if byte == b'"' {
            out.push(b'"');
        }
        out.push(byte);
    }
    out.push(b'"');
}

/// Pence as a decimal string with two places.
pub(crate) fn pounds(pence: i64) -> String {
    let sign = if pence < 0 { "-" } else { "" };
    format!("{sign}{}.{:02}", pence.unsigned_abs() / 100, pence.unsigned_abs() % 100)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn written(write: impl Fn(&mut Vec<u8>)) -> String {
        let mut out = Vec::new();
        write(&mut out);
        String::from_utf8(out).unwrap()
    }

    #[test]
    fn numbers_and_fields_read_as_in_the_exports() {
        assert_eq!(written(|out| integer(out, -1200)), "-1200");
        assert_eq!(written(|out| integer(out, 0)), "0");
        assert_eq!(written(|out| money(out, 255, b"")), "2.55");
        assert_eq!(written(|out| money(out, 210, b"")), "2.1");
        assert_eq!(written(|out| money(out, 200, b".0")), "2.0");
        assert_eq!(written(|out| money(out, -5, b"")), "-0.05");
        assert_eq!(written(|out| field(out, b"12\" A, B")), "\"12\"\" A, B\"");
        assert_eq!(pounds(-1_106_206), "-11062.06");
    }
}
