//! Scores as HTML, SVG, Markdown, LaTeX and CSV.
