resource "aws_iam_openid_connect_provider" "issuer" {
  url            = "https://issuer.example"
  client_id_list = ["sts.amazonaws.com"]
  tags           = { revision = var.revision }
}

resource "aws_iam_role" "workflow" {
  name = "terraform-test-workflow"
  assume_role_policy = jsonencode({
    Version = "2012-10-17"
    Statement = [{
      Effect    = "Allow"
      Principal = { Federated = aws_iam_openid_connect_provider.issuer.arn }
      Action    = "sts:AssumeRoleWithWebIdentity"
      Condition = { StringEquals = { "issuer.example:aud" = "sts.amazonaws.com", "issuer.example:sub" = "revision-${var.revision}" } }
    }]
  })
}
